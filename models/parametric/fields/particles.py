"""Many small bodies in the air, each with a place, a size, a path and a focus of its own.

A body is the shadow that a disc throws on the sensor while it moves along a short straight path: a
capsule with a soft edge. Bodies cover one another as independent screens do, their optical depths
add up: τ = −log(1 − α) (Beer and Lambert).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Size
from gends.models.pixels import Plane

STEPS = 8
"""Bodies appear in so many groups, one after the other, as the strength rises."""
CHUNK = 1 << 21
"""Pixels that are computed at once."""

Column = npt.NDArray[np.float32]
"""One number per body, (N,)."""
Offset = npt.NDArray[np.floating[Any]]
Planes = npt.NDArray[np.float32]
"""One plane per step, (STEPS, H, W)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Columns of equal length; lengths in pixels."""

    x: Column
    y: Column
    angle: Column
    """Of the path, in degrees from the vertical; above 0 it leads down and to the left."""
    path: Column
    """Length of the path during the exposure."""
    radius: Column
    softness: Column
    """Over so many pixels the edge fades; at most twice the radius."""
    opacity: Column
    taper: Column
    """Share of the opacity that is lost towards both ends of the path."""
    lobes: Column
    """How far the outline departs from a circle, as a fraction of the radius."""
    rank: Column
    """In [0, 1): bodies of low rank appear first."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, chosen: npt.NDArray[np.int64]) -> Bodies:
        """Those of the given numbers."""
        return Bodies(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def __add__(self, other: Bodies) -> Bodies:
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return Bodies(**{name: np.concatenate(pair) for name, pair in pairs.items()})


def optical_depth(size: Size, bodies: Bodies) -> Planes:
    """Optical depth of the bodies of each step, (STEPS, H, W).

    Step k holds the ranks from (k/STEPS)³ to ((k + 1)/STEPS)³, so that their number grows with the
    cube of the strength. What leaves at one border enters at the opposite one.
    """
    height, width = size
    planes = np.zeros((STEPS, height, width), np.float32)
    step = np.minimum((np.cbrt(bodies.rank) * STEPS).astype(np.int64), STEPS - 1)
    for chosen, rows, columns in _boxes(bodies):
        some = bodies.take(chosen)
        y0, x0 = np.floor(some.y).astype(np.int64), np.floor(some.x).astype(np.int64)
        row = np.arange(-rows, rows + 1)[np.newaxis, :, np.newaxis]
        shift = np.rint(-_wide(_shear(some)) * row).astype(np.int64)
        column = np.arange(-columns, columns + 1) + shift
        cover = _cover(some, column - _wide(some.x - x0), row - _wide(some.y - y0))
        body, i, j = np.nonzero(cover)
        lines = step[chosen][body] * height + (y0[body] + row[0, i, 0]) % height
        places = lines * width + (x0[body] + column[body, i, j]) % width
        np.add.at(planes.reshape(-1), places, -np.log1p(-cover[body, i, j]))
    return planes


def clear_share(depths: Planes, strength: float) -> Plane:
    """Fraction of the background's light that no body covers, (H, W), at `strength` in [0, 1]."""
    shown = np.clip(strength * STEPS - np.arange(STEPS), 0, 1).astype(np.float32)
    last = max(1, int(np.count_nonzero(shown)))
    return np.asarray(np.exp(-np.tensordot(shown[:last], depths[:last], axes=1)), np.float32)


def distances(
    rng: np.random.Generator, count: int, near: float, far: float, crowding: float
) -> Column:
    """Distances in [near, far] whose density rises with the power `crowding` of the distance.

    2 is a cone of sight that is filled evenly.
    """
    power = crowding + 1
    share = rng.random(count)
    distance = (near**power + share * (far**power - near**power)) ** (1 / power)
    return np.asarray(distance, np.float32)


def _boxes(bodies: Bodies) -> Iterator[tuple[npt.NDArray[np.int64], int, int]]:
    """Bodies whose boxes are about alike, and half the height and width of a box for them all."""
    slant = np.deg2rad(np.abs(bodies.angle))
    reach = bodies.radius * (1 + 1.5 * bodies.lobes) + bodies.softness / 2 + 1
    rows = bodies.path / 2 * np.cos(slant) + reach
    sheared = np.abs(bodies.angle) <= 60
    columns = np.where(sheared, reach / np.cos(slant) + 1, bodies.path / 2 * np.sin(slant) + reach)
    kinds = np.stack([_rounded_up(rows), _rounded_up(columns), bodies.lobes > 0], axis=1)
    for kind in np.unique(kinds, axis=0):
        alike = np.flatnonzero((kinds == kind).all(axis=1))
        area = (2 * kind[0] + 1) * (2 * kind[1] + 1)
        for part in np.array_split(alike, int(np.ceil(len(alike) * area / CHUNK))):
            if len(part):
                yield part, int(kind[0]), int(kind[1])


def _rounded_up(lengths: Offset) -> npt.NDArray[np.int64]:
    return np.asarray(np.ceil(1.25 ** np.ceil(np.log(lengths) / np.log(1.25))), np.int64)


def _shear(bodies: Bodies) -> Column:
    slant = np.where(np.abs(bodies.angle) <= 60, bodies.angle, 0)
    return np.asarray(np.tan(np.deg2rad(slant)), np.float32)


def _wide(column: Offset) -> npt.NDArray[np.float32]:
    return np.asarray(column, np.float32)[:, np.newaxis, np.newaxis]


def _cover(bodies: Bodies, x: Offset, y: Offset) -> Planes:
    """Opacity at (x, y) from the middle of each body, (N, rows, columns), at most 0.995."""
    dx, dy = np.asarray(x, np.float32), np.asarray(y, np.float32)
    slant = _wide(np.deg2rad(bodies.angle))
    along = dy * np.cos(slant) - dx * np.sin(slant)
    across = dx * np.cos(slant) + dy * np.sin(slant)
    half, radius = _wide(bodies.path / 2), _wide(bodies.radius)
    beyond = np.maximum(np.abs(along) - half, 0)
    outline = radius
    if bodies.lobes.any():
        outline = radius * (1 + _wide(bodies.lobes) * _wave(along, across, bodies.rank))
    soft = _wide(np.maximum(bodies.softness, np.float32(0.3)))
    edge = np.clip((outline + soft / 2 - np.hypot(beyond, across)) / soft, 0, 1)
    fade = 1 - _wide(bodies.taper) * np.square(along / (half + radius))
    cover = _wide(bodies.opacity) * edge * edge * (3 - 2 * edge) * np.clip(fade, 0, 1)
    return np.asarray(np.minimum(cover, 0.995), np.float32)


def _wave(along: Planes, across: Planes, rank: Column) -> Planes:
    """Sum of three waves, of 2, 3 and 5 periods around the middle, whose phases follow `rank`."""
    turn = (along + 1j * across) / np.maximum(np.hypot(along, across), np.float32(1e-3))
    phase = np.exp(1j * 997 * rank).astype(np.complex64)[:, np.newaxis, np.newaxis]
    two = turn * turn * phase
    three = two * turn * phase
    return np.asarray((two + three / 2 + two * three / 2).real, np.float32)
