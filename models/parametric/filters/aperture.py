"""Blur discs of lenses: the shape of the aperture, as a convolution kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gends.models.pixels import Plane

Grid = npt.NDArray[np.float64]


def aperture(
    radius: float, blades: int = 0, rotation: float = 0.0, cut: tuple[float, float] = (0.0, 0.0)
) -> Plane:
    """Blur disc of `radius` pixels: float32, odd sides, sum 1, centroid in the middle.

    With 3 or more `blades` a regular polygon of the disc's area, turned by `rotation` degrees.
    `cut` (x, y in pixels) sets two of these shapes that far apart and keeps what they share: the
    cat's-eye that a long lens barrel makes of the disc off the axis. Edges are smooth over one
    pixel, so that the kernel is a continuous function of the radius.
    """
    half = int(np.ceil(1.5 * radius)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)

    def coverage(across: float, down: float) -> Grid:
        halves = [
            _outside(x - across - a * cut[0], y - down - a * cut[1], radius, blades, rotation)
            for a in (-0.5, 0.5)
        ]
        kernel = np.clip(0.5 - np.maximum(*halves), 0, 1)
        return np.asarray(kernel / kernel.sum())

    # Odd polygons lose their symmetry on the grid of pixels: they are moved back.
    across = down = 0.0
    for _ in range(4):
        kernel = coverage(across, down)
        across, down = across - (kernel * x).sum(), down - (kernel * y).sum()
    return kernel.astype(np.float32)


def _outside(x: Grid, y: Grid, radius: float, blades: int, rotation: float) -> Grid:
    """Distance in pixels from the outline, negative within."""
    if blades < 3:
        return np.asarray(np.hypot(x, y) - radius)
    inner = radius * np.sqrt(np.pi / (blades * np.tan(np.pi / blades)))
    turns = np.deg2rad(rotation) + 2 * np.pi * np.arange(blades) / blades
    reach = [np.cos(t) * x + np.sin(t) * y for t in turns]
    return np.asarray(np.max(reach, axis=0) - inner)
