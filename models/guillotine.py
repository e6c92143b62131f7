"""Splits of the unit square into rectangles, none a sliver."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CUT = (0.35, 0.65)
"""Where a rectangle is cut, as a share of the side that is cut."""

NEARLY_SQUARE = 1.3
"""Up to this ratio of its sides a rectangle is cut either way; above, across its longer side."""


class Box(NamedTuple):
    """A rectangle in the unit square, whose corner (0, 0) is at the top left."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def area(self) -> float:
        """Share of the unit square."""
        return (self.bottom - self.top) * (self.right - self.left)

    def pixels(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of it in a picture of `size`: boxes that touch share no pixel."""
        height, width = size
        rows = slice(round(self.top * height), round(self.bottom * height))
        return rows, slice(round(self.left * width), round(self.right * width))


def guillotine(count: int, rng: np.random.Generator) -> list[Box]:
    """Cut the unit square into `count` boxes, the largest one each time.

    The largest of n boxes is at least 1/n large, so that none of the `count` is smaller than
    0.35/`count`; and none is more than 3.8 times as long as wide.
    """
    boxes = [Box(0.0, 0.0, 1.0, 1.0)]
    while len(boxes) < count:
        largest = max(range(len(boxes)), key=lambda number: boxes[number].area)
        boxes[largest : largest + 1] = _halves(boxes[largest], rng)
    return boxes


def _halves(box: Box, rng: np.random.Generator) -> tuple[Box, Box]:
    height, width = box.bottom - box.top, box.right - box.left
    share, either = rng.uniform(*CUT), rng.random() < 0.5
    across = either if max(height, width) < NEARLY_SQUARE * min(height, width) else width > height
    if across:
        middle = box.left + share * width
        return box._replace(right=middle), box._replace(left=middle)
    middle = box.top + share * height
    return box._replace(bottom=middle), box._replace(top=middle)
