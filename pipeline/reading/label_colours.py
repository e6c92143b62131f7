"""Masks for the eye: a colour for each label, and which is which."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.labels import BORDER, UNTOUCHED

GOLDEN = 0.618034
"""Hues that far apart are all different, however many there are."""
Colour = tuple[int, int, int]


def colour_of(label: int) -> Colour:
    """Black for what is untouched, white for borders of regions, else a colour of its own."""
    if label in (UNTOUCHED, BORDER):
        return (0, 0, 0) if label == UNTOUCHED else (255, 255, 255)
    light = (0.95, 0.7)[label % 2]
    red, green, blue = colorsys.hsv_to_rgb(label * GOLDEN % 1, 0.75, light)
    return round(255 * red), round(255 * green), round(255 * blue)


def name_of(label: int) -> str:
    """The operation that has the label."""
    names = {operation.label: operation.name for operation in OPERATIONS.values()}
    return {UNTOUCHED: "untouched", BORDER: "border", **names}.get(label, f"label {label}")


def coloured(mask: npt.NDArray[np.uint8]) -> Image:
    """A mask, uint8 (H, W), as a picture (H, W, 3)."""
    return np.array([colour_of(label) for label in range(256)], np.uint8)[mask]
