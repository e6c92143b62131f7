"""JPEG: blocks of 8×8, whose frequencies are rounded to multiples of the quality's table.

ITU-T T.81 (1992) with the example tables of its annex K, scaled to the quality as libjpeg does.
"""

from __future__ import annotations

import numpy as np

from gends.models.parametric.coding.codec import SUBSAMPLINGS, through_jpeg
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, to_float, to_uint8

VERSION = 1

QUALITY = Scale(
    name="quality",
    meaning="quality of the JPEG; 100 leaves the picture uncompressed",
    zero=100,
    full=1,
    is_whole=True,
)

SUBSAMPLING = Parameter(
    meaning="how finely colour is kept beside luma: all, half the columns, half the rows as well",
    choices=tuple(SUBSAMPLINGS),
)

SHARES = (0.2, 0.1, 0.7)
"""Of 4:4:4, 4:2:2 and 4:2:0: our reading; 4:2:0 is what Pillow and OpenCV do unasked."""


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the subsampling: 4:2:0 in most pictures."""
    return {"subsampling": str(rng.choice(list(SUBSAMPLINGS), p=SHARES))}


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Nothing is drawn; the strength is the quality."""
    levels = to_uint8(image)

    def render(strength: float) -> Photo:
        if strength == 0:
            return image
        quality = int(QUALITY.value(strength))
        return to_float(through_jpeg(levels, quality, parameters["subsampling"]))

    return render


JPEG = Operation(
    name="jpeg",
    label=8,
    version=VERSION,
    stage="coding",
    summary="blocks, ringing and coarse colour of a JPEG",
    source="ITU-T T.81, annex K, through libjpeg-turbo; qualities 95 to 7 (ImageNet-C: 25 to 7, "
    "arXiv 1903.12261; BSRGAN: 95 to 30, arXiv 2103.14006)",
    parameters={"subsampling": SUBSAMPLING},
    draw=draw,
    prepare=prepare,
    scale=QUALITY,
    usual=(QUALITY.strength(95), QUALITY.strength(7)),
    uses_seed=False,
)
