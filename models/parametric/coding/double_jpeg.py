"""JPEG twice: a picture that was compressed, cropped, and compressed again.

The crop moves the second grid of blocks against the first, so that rounding does not repeat but
adds up, and blocks of both remain to be seen. The pair stays aligned: only the grid moves.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.coding.codec import BLOCK, SUBSAMPLINGS, through_jpeg
from gends.models.parametric.coding.jpeg import SHARES, SUBSAMPLING
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, to_float, to_uint8

VERSION = 1

QUALITY = Scale(
    name="quality",
    meaning="quality of the first JPEG; 100 leaves the picture uncompressed",
    zero=100,
    full=1,
    is_whole=True,
)

SECOND_QUALITY = Parameter(meaning="quality of the second JPEG", low=1, high=100, is_whole=True)

SHIFT = Parameter(
    meaning="where the second grid of blocks begins, down and right",
    high=BLOCK - 1,
    unit="px",
    size=2,
    is_whole=True,
)


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the subsampling of both, the second quality, 60 to 98, and its shift, 1 to 7 px."""
    return {
        "subsampling": str(rng.choice(list(SUBSAMPLINGS), p=SHARES)),
        "second_quality": int(rng.integers(60, 99)),
        "shift": [int(n) for n in rng.integers(1, BLOCK, 2)],
    }


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Nothing is drawn; the strength is the first quality."""
    subsampling, second = parameters["subsampling"], int(parameters["second_quality"])
    down, right = (int(n) for n in parameters["shift"])
    levels = to_uint8(image)

    def render(strength: float) -> Photo:
        if strength == 0:
            return image
        once = through_jpeg(levels, int(QUALITY.value(strength)), subsampling)
        return to_float(through_jpeg(once, second, subsampling, (down, right)))

    return render


DOUBLE_JPEG = Operation(
    name="double_jpeg",
    label=25,
    version=VERSION,
    stage="coding",
    summary="two JPEGs, the blocks of the second shifted against those of the first",
    source="as jpeg, twice; shifted grids as in FBCNN (Jiang et al., ICCV 2021, arXiv 2109.14573)",
    parameters={
        "subsampling": SUBSAMPLING,
        "second_quality": SECOND_QUALITY,
        "shift": SHIFT,
    },
    draw=draw,
    prepare=prepare,
    scale=QUALITY,
    usual=(QUALITY.strength(95), QUALITY.strength(10)),
    uses_seed=False,
)
