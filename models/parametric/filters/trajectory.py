"""Paths along which a blurred point moves while the shutter is open, and their kernels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Parameters
from gends.models.pixels import Plane

POINTS = 600
"""Points along a path: several per pixel up to the longest blur of a 1024 px image."""


def path(parameters: Parameters, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Points (POINTS, 2), x and y, equally spaced in time; centroid 0, largest extent 1.

    `angle` is the mean direction and `bend` the turn along the path, in degrees; `tremor` the size
    of the random turns, in quarter turns; `unevenness` in [0, 1) that of changes of speed.
    """
    time = np.linspace(-0.5, 0.5, POINTS)
    heading = np.deg2rad(parameters["angle"] + parameters["bend"] * time)
    heading += parameters["tremor"] * wobble(rng, time) * np.pi / 2
    speed = 1 + parameters["unevenness"] * np.tanh(wobble(rng, time))
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * speed[:, np.newaxis]
    points = np.cumsum(steps, axis=0)
    points -= points.mean(axis=0)
    return np.asarray(points / (2 * np.linalg.norm(points, axis=1).max()))


def wobble(rng: np.random.Generator, time: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth noise of unit size: five harmonics, the slow ones largest."""
    order = np.arange(1, 6)
    phase, size = rng.uniform(0, 2 * np.pi, 5), rng.standard_normal(5) / order
    return np.asarray(np.sin(2 * np.pi * np.outer(time, order) + phase) @ size)


def trace(points: npt.NDArray[np.float64]) -> Plane:
    """Kernel of a path in pixels about 0: float32, odd sides, sum 1, centroid in the middle.

    Points are shared between pixels bilinearly, which keeps the centroid exactly and makes the
    blur a continuous function of the path's length.
    """
    radius = int(np.ceil(np.abs(points).max())) + 1
    side = 2 * radius + 1
    cell = np.floor(points).astype(np.intp)
    share = points - cell
    kernel = np.zeros(side * side)
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dx - share[:, 0]) * np.abs(1 - dy - share[:, 1])
            flat = (cell[:, 1] + dy + radius) * side + cell[:, 0] + dx + radius
            kernel += np.bincount(flat, weight, minlength=side * side)
    return (kernel / len(points)).reshape(side, side).astype(np.float32)
