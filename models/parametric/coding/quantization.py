"""Quantization: fewer bits per colour, so that smooth areas break into bands.

Three roundings are in use and differ: from code v of 8 bits to 8 − k of them, `floor` keeps the
upper bits, ⌊v/2ᵏ⌋·2ᵏ, and darkens; `expand` spreads the same codes over black to white, as
(v >> 4)·17 does for four bits; `round` takes the nearest of the evenly spread levels.
"""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.degrader import Image
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.parameter import Parameter, Scale
from gends.models.pixels import Photo, to_float, to_uint8

VERSION = 1

BITS = Scale(
    name="bits", meaning="bits that are left of a colour's 8", zero=8, full=2, is_whole=True
)

ROUNDINGS = ("floor", "expand", "round")


def draw(rng: np.random.Generator) -> Parameters:
    """Draw the rounding, each as often."""
    return {"rounding": ROUNDINGS[rng.integers(len(ROUNDINGS))]}


def prepare(image: Photo, parameters: Parameters, seed: int) -> Renderer:
    """Nothing is drawn; the strength is the number of bits."""
    levels = to_uint8(image)

    def render(strength: float) -> Photo:
        bits = int(BITS.value(strength))
        if bits == BITS.zero:
            return image
        table = to_float(_table(bits, parameters["rounding"]))
        return np.asarray(cv2.LUT(levels, table), np.float32)

    return render


def _table(bits: int, rounding: str) -> Image:
    """The code that each of the 256 becomes."""
    codes = np.arange(256)
    step, top = 2 ** (8 - bits), 2**bits - 1
    if rounding == "floor":
        return np.asarray(codes // step * step, np.uint8)
    kept = codes // step if rounding == "expand" else np.rint(codes * top / 255)
    return np.asarray(np.rint(kept * 255 / top), np.uint8)


QUANTIZATION = Operation(
    name="quantization",
    label=10,
    version=VERSION,
    stage="coding",
    summary="bands of colour where bits are missing",
    source="4-to-8-bit task of ABAIR (arXiv 2411.18412); the roundings are our reading",
    parameters={
        "rounding": Parameter(meaning="which of the levels a value takes", choices=ROUNDINGS)
    },
    draw=draw,
    prepare=prepare,
    scale=BITS,
    usual=(BITS.strength(6), BITS.strength(3)),
    uses_seed=False,
)
