"""Natural objects: pieces of photographs, and the colours in them."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.bundled_photos import names, photograph
from gends.models.degrader import Image
from gends.models.grounds.exposure import exposed, is_exposed
from gends.models.parametric.operation import Size

REDUCTION = 2.2
"""A piece is reduced by up to this."""

TRIES = 6
"""Pieces looked at for one that is neither too dark nor too light."""


def draw_natural(size: Size, rng: np.random.Generator) -> Image:
    """A piece of any of the bundled photographs, reduced, and mirrored half of the time."""
    for _ in range(TRIES):
        piece = _piece(size, rng)
        if is_exposed(piece):
            return piece
    return exposed(piece)


def draw_palette(count: int, rng: np.random.Generator) -> Image:
    """Colours of so many pixels of one photograph, (count, 1, 3)."""
    pixels = _photograph(rng).reshape(-1, 1, 3)
    return exposed(pixels[rng.integers(len(pixels), size=count)])


def _photograph(rng: np.random.Generator) -> Image:
    return photograph(names()[rng.integers(len(names()))])


def _piece(size: Size, rng: np.random.Generator) -> Image:
    photo = _photograph(rng)
    most = min(REDUCTION, photo.shape[0] / size[0], photo.shape[1] / size[1])
    by = rng.uniform(min(1.0, most), most)
    height, width = (int(side * by) for side in size)
    top = int(rng.integers(photo.shape[0] - height + 1))
    left = int(rng.integers(photo.shape[1] - width + 1))
    piece = photo[top : top + height, left : left + width]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    reduced = cv2.resize(np.ascontiguousarray(piece), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)
