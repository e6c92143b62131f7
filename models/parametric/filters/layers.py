"""Layers of a scene, each blurred by the disc of a lens and laid over those behind it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gends.models.parametric.filters.aperture import aperture
from gends.models.pixels import Photo, Plane

Layer = tuple[float, Plane]
"""Radius in that of the largest disc, positive before the focal plane; weights in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Lens:
    """What shapes the blur discs of a lens."""

    blades: int
    """Blades of the aperture; 0 for a round one."""
    rotation: float
    """Turn of the aperture in degrees."""
    cats_eye: float
    """Part of the disc's diameter that is cut off in the corners."""


def laid(scene: Photo, layers: list[Layer], radius: float, lens: Lens) -> tuple[Photo, Photo]:
    """Lay blurred layers over one another: premultiplied colour, opacity (H, W, 1)."""
    colour = np.zeros_like(scene)
    opacity = np.zeros((*scene.shape[:2], 1), np.float32)
    for share, weight in layers:
        premultiplied = np.dstack([scene * weight[..., np.newaxis], weight])
        blurred = _blurred(premultiplied, radius * abs(share), lens)
        through = 1 - blurred[..., 3:]
        colour = blurred[..., :3] + through * colour
        opacity = blurred[..., 3:] + through * opacity
    return colour, opacity


def cover(layers: list[Layer], mask: Plane, radius: float, lens: Lens) -> Photo:
    """Opacity (H, W, 1) of all `layers` together, which are what `mask` shows.

    The mask is blurred by the discs of those layers that are seen at the place: within a surface
    whose depth varies nothing shines through.
    """
    total = np.full((*mask.shape, 1), 1e-6, np.float32)
    seen = np.zeros_like(total)
    for share, weight in layers:
        blurred = _blurred(np.dstack([mask, weight]), radius * abs(share), lens)
        total += blurred[..., 1:]
        seen += blurred[..., 1:] * blurred[..., :1]
    return np.asarray(seen / total)


def _blurred(layer: Photo, radius: float, lens: Lens) -> Photo:
    """Convolve a layer (H, W, C) with its disc; with cat's-eyes, with one for each of 3×3 parts.

    Opposite parts have the same disc, so that five convolutions do.
    """
    if lens.cats_eye == 0.0:
        return _convolved(layer, aperture(radius, lens.blades, lens.rotation))
    down, across = (_hats(side) for side in layer.shape[:2])
    reach = np.sqrt(2) * radius * lens.cats_eye
    total = np.zeros_like(layer)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1)):
        weight = np.outer(down[y], across[x])
        if (y, x) != (0, 0):
            weight += np.outer(down[-y], across[-x])
        kernel = aperture(radius, lens.blades, lens.rotation, (x * reach, y * reach))
        total += _convolved(layer * weight[..., np.newaxis], kernel)
    return total


def _convolved(layer: Photo, kernel: Plane) -> Photo:
    """Convolve a layer as far as its last channel, its opacity, spreads; the rest stays empty."""
    reach = kernel.shape[0] // 2
    (top, left), (bottom, right) = _bounds(layer[..., -1], reach)
    out = np.zeros_like(layer)
    # filter2D correlates: the flipped kernel makes it a convolution.
    out[top:bottom, left:right] = cv2.filter2D(
        layer[top:bottom, left:right],
        -1,
        cv2.flip(kernel, -1),
        borderType=cv2.BORDER_REFLECT_101 | cv2.BORDER_ISOLATED,
    )
    return out


def _bounds(weight: Plane, reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column, `reach` beyond the pixels that are not 0."""
    x, y, width, height = cv2.boundingRect((weight > 0).astype(np.uint8))
    first = (max(0, y - 2 * reach), max(0, x - 2 * reach))
    return first, (y + height + 2 * reach, x + width + 2 * reach)


def _hats(length: int) -> dict[int, Plane]:
    """Smooth weights of the start (−1), the middle (0), the end (1) of a side; they add up to 1."""
    away = {at: np.abs(np.linspace(-1, 1, length) - at) for at in (-1, 0, 1)}
    hats = {at: np.where(a < 1, np.cos(np.pi / 2 * a) ** 2, 0) for at, a in away.items()}
    return {at: np.asarray(hat, np.float32) for at, hat in hats.items()}
