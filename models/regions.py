"""Maps of regions: which of several recipes rules at which pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image
from gends.models.guillotine import guillotine
from gends.models.parametric.operation import Size
from gends.models.pixels import Plane

Shape = Literal["rectangles", "voronoi"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

MOST = 16
"""Regions of a map at most."""

WIDEST = 64.0
"""Widest `feather`: a quarter of the shorter side."""

FEATHER_SIDE = 256
"""Shorter side of the picture on which `feather` counts pixels."""

NEARLY_ALL = 1 - 1 / 510
"""What is left beside a larger weight changes no 8-bit level: half of one at most."""

_APART = 0.5
"""Least distance of Voronoi seeds, and twice that from the frame, times √count: no cell is smaller
than 0.19/count, and there is always room for one more seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionMap:
    """A picture cut into regions by a seed; the same layout, scaled, on pictures of any size.

    Each recipe is rendered on the whole picture, and the renderings are put together here: what
    looks beyond a pixel, as blur and haze do, meets no seam.
    """

    count: int
    """Regions, 1 to 16."""
    shape: Shape
    """Rectangles of guillotine cuts, or Voronoi cells about scattered points."""
    feather: float = 0.0
    """Width of the soft borders, 0 to 64 pixels of a picture whose shorter side is 256; where that
    makes less than a pixel, as at 0, borders are hard."""
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise ValueError(f"count of regions is {self.count}; it must be 1 to {MOST}")
        if self.shape not in SHAPES:
            raise ValueError(f"shape of regions is {self.shape!r}; give {' or '.join(SHAPES)}")
        if not 0 <= self.feather <= WIDEST:
            raise ValueError(f"feather is {self.feather}; it must lie from 0 to {WIDEST:g}")

    def weights(self, size: Size) -> npt.NDArray[np.float32]:
        """How much each region counts at each pixel: (count, H, W), sums of 1.

        Across a border the weight follows the integral of a Gaussian, cut off where the border
        ends: beyond it the weights are 0 and 1.
        """
        layout = self._layout(size)
        reach = round(self.feather * min(size) / FEATHER_SIDE / 2)
        planes = np.stack([layout == number for number in range(self.count)]).astype(np.float32)
        if reach == 0 or self.count == 1:
            return planes
        for plane in planes:
            _soften(plane, reach)
        return np.asarray(planes / planes.sum(axis=0))

    def owners(self, size: Size) -> npt.NDArray[np.uint8]:
        """Number of the region that counts most at each pixel, (H, W)."""
        return _owners(self.weights(size))

    def border(self, size: Size) -> npt.NDArray[np.bool_]:
        """Where no region has (nearly) all the weight, (H, W): nowhere if borders are hard."""
        return _border(self.weights(size))

    def composite(self, pictures: Sequence[Image]) -> Image:
        """Put whole pictures of one size together, one for each region.

        Outside the borders each region shows its own picture bit for bit; within, levels are
        mixed by weight and rounded.
        """
        if len(pictures) != self.count:
            raise ValueError(f"{len(pictures)} pictures for {self.count} regions")
        weights = self.weights(pictures[0].shape[:2])
        owners, border = _owners(weights), _border(weights)
        made: Image = pictures[0].copy()
        for number, picture in enumerate(pictures):
            np.copyto(made, picture, where=(owners == number)[..., None])
        mixed = sum(w[border, None] * p[border] for w, p in zip(weights, pictures, strict=True))
        made[border] = np.rint(mixed)
        return made

    def _layout(self, size: Size) -> npt.NDArray[np.uint8]:
        """Number of the region that holds each pixel's middle, (H, W)."""
        rng = np.random.default_rng(self.seed)
        if self.shape == "voronoi":
            return _nearest(_seeds(self.count, rng), size)
        layout = np.zeros(size, np.uint8)
        for number, box in enumerate(guillotine(self.count, rng)):
            layout[box.pixels(size)] = number
        return layout


def _soften(plane: Plane, reach: int) -> None:
    """Blur a region's indicator in place, `reach` pixels to each side of its border."""
    left, top, width, height = cv2.boundingRect(plane.astype(np.uint8))
    rows = slice(max(top - reach, 0), top + height + reach)
    part = plane[rows, max(left - reach, 0) : left + width + reach]
    side = 2 * reach + 1
    part[...] = cv2.GaussianBlur(part, (side, side), reach / 3, borderType=cv2.BORDER_REPLICATE)


def _owners(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.asarray(weights.argmax(axis=0), np.uint8)


def _border(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.asarray(weights.max(axis=0) <= NEARLY_ALL)


def _seeds(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Points (y, x) of the unit square that keep their distance, (count, 2)."""
    apart = _APART / count**0.5
    seeds = np.empty((0, 2))
    while len(seeds) < count:
        seed = rng.uniform(apart / 2, 1 - apart / 2, 2)
        if (np.hypot(*(seeds - seed).T) >= apart).all():
            seeds = np.vstack([seeds, seed])
    return seeds


def _nearest(seeds: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.uint8]:
    """Which seed is nearest in the unit square: cells are stretched with the picture."""
    y, x = (((np.arange(side) + 0.5) / side).astype(np.float32) for side in size)
    distances = [np.square(y - r)[:, None] + np.square(x - c) for r, c in seeds.astype(np.float32)]
    return np.asarray(np.argmin(distances, axis=0), np.uint8)
