"""Water standing on glass: drops that merge where they touch, and drops that ran down."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Parameters, Size
from gends.models.pixels import Plane

MOST = 2500
"""Drops on one image at most."""

FINEST = 0.35
"""Radius in pixels below which a drop is not seen."""

STIFFNESS = 4.0
"""How little the water of two drops is drawn together: 1/4 of a squared radius."""

REACH = 1.5
"""Radii beyond which a drop draws no other water."""

Balls = npt.NDArray[np.float64]
"""Round bodies whose union is the water, (N, 4): x, y, radius in pixels, height over width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """What stands on a glass of (H, W), pixel by pixel; meaningless where it is dry."""

    cover: Plane
    """Share of the pixel that is wet, 0 to 1."""
    across: Plane
    """Columns from the middle of the drop, in radii."""
    down: Plane
    """Rows from the middle of the drop, in radii."""
    radius: Plane
    """Radius of the drop in pixels."""
    rank: Plane
    """A random number of every body of water, in [0, 1]."""


def lay(size: Size, parameters: Parameters, rng: np.random.Generator) -> Water:
    """Lay drops and trails over a glass of `size`; `parameters` are those of raindrop."""
    drops = _scattered(size, parameters, rng)
    for _ in range(int(parameters["runs"])):
        trail = _trail(size, parameters, rng)
        near = np.linalg.norm(drops[:, np.newaxis, :2] - trail[np.newaxis, :, :2], axis=2)
        swept = (near < drops[:, 2:3] + 0.8 * trail[0, 2]).any(axis=1)
        drops = np.concatenate([drops[~swept], trail])
    visible = drops[drops[:, 2] > FINEST]
    return _surface(size, visible, parameters["outline"], rng)


def _scattered(size: Size, parameters: Parameters, rng: np.random.Generator) -> Balls:
    """Drops whose number falls with a power of their radius, until their discs have the area."""
    side = min(size)
    low, high = parameters["smallest"] * side, parameters["largest"] * side
    power = 1 - parameters["size_exponent"]
    share = rng.random(MOST)
    ends = (low**power, max(high, 1.01 * low) ** power)
    radii = (ends[0] + share * (ends[1] - ends[0])) ** (1 / power)
    wanted = parameters["coverage"] * size[0] * size[1] / np.pi
    radii = radii[: 1 + int(np.searchsorted(np.cumsum(radii**2), wanted))]
    centres = rng.uniform((0, 0), (size[1], size[0]), (len(radii), 2))
    heights = 1 + (parameters["elongation"] - 1) * rng.random(len(radii))
    drops = np.column_stack([centres, radii, heights])
    return np.concatenate([drops, _bulges(drops, low, parameters["irregularity"], rng)])


def _bulges(drops: Balls, low: float, irregularity: float, rng: np.random.Generator) -> Balls:
    """Smaller bodies on the edges of drops: the larger a drop the less round it is."""
    size = np.clip(np.log(drops[:, 2] / low) / np.log(8), 0, 1)
    large = np.repeat(drops, 3, axis=0)[np.repeat(size, 3) > rng.random(3 * len(drops))]
    angle = rng.uniform(0, 2 * np.pi, len(large))
    away = irregularity * rng.uniform(0.5, 1.3, len(large)) * large[:, 2]
    large[:, 0] += away * np.cos(angle)
    large[:, 1] += away * np.sin(angle) * large[:, 3]
    large[:, 2] *= rng.uniform(0.35, 0.85, len(large))
    return large


def _trail(size: Size, parameters: Parameters, rng: np.random.Generator) -> Balls:
    """A drop that ran down, the tail that narrows behind it, and the beads that it left."""
    side = min(size)
    radius = parameters["largest"] * side * rng.uniform(0.5, 0.9)
    length = side * rng.uniform(0.2, 0.9)
    head = rng.uniform((0.0, 0.25 * size[0]), (size[1], 1.05 * size[0]))
    tail = np.arange(0, 2.5, 0.35) * radius
    beads = 2.2 * radius + np.cumsum(rng.uniform(0.5, 1.8, 60) * radius)
    beads = beads[beads < length]
    up = np.concatenate([tail, beads])
    narrow = 0.3 + 0.7 * np.exp(-tail / radius)
    widths = np.concatenate([narrow, rng.uniform(0.1, 0.4, len(beads))]) * radius
    bends = np.cumsum(rng.normal(0, 0.12, len(up)))
    sideways = radius * bends * np.minimum(up / (2 * radius), 1)
    heights = np.concatenate([np.full(len(tail), 1.2), rng.uniform(1, 1.6, len(beads))])
    return np.column_stack([head[0] + sideways, head[1] - up, widths, heights])


def _surface(size: Size, balls: Balls, outline: float, rng: np.random.Generator) -> Water:
    """Smooth union: each body counts with exp(−k·q), q the squared distance in its radii.

    −log(Σ exp(−k·q))/k is a smooth minimum of q, and the mean of positions with these weights is
    its gradient: the surface of merged drops is smooth, and that of a lone one a spherical cap.
    """
    total, across, down, radius = (np.zeros(size, np.float32) for _ in range(4))
    column, row = (np.arange(n, dtype=np.float32) for n in (size[1], size[0]))
    for x, y, r, height in balls:
        reach = REACH * max(r, 0.7)
        left, right = max(int(x - reach), 0), min(int(x + reach) + 2, size[1])
        top, bottom = max(int(y - reach * height), 0), min(int(y + reach * height) + 2, size[0])
        if left >= right or top >= bottom:
            continue
        box = np.s_[top:bottom, left:right]
        dx = (column[left:right] - np.float32(x)) / np.float32(r)
        dy = (row[top:bottom, np.newaxis] - np.float32(y)) / np.float32(r * height)
        weight = np.exp(np.float32(-STIFFNESS) * (dx * dx + dy * dy))
        weight = np.maximum(weight - np.float32(np.exp(-STIFFNESS * REACH**2)), 0)
        total[box] += weight
        across[box] += weight * dx
        down[box] += weight * dy
        radius[box] += weight * np.float32(r)
    safe = np.maximum(total, np.float32(1e-6))
    radius = np.where(total > 0, radius / safe, 1).astype(np.float32)
    level = np.log(safe) / np.float32(-STIFFNESS) + np.float32(outline) * _pinning(
        size, radius, rng
    )
    # The level rises by 2/r per pixel at the edge: the outline is one pixel wide.
    cover = np.clip((1 - level) * radius / 2 + np.float32(0.5), 0, 1) * (total > 0)
    bodies, label = cv2.connectedComponents((cover > 0).astype(np.uint8))
    rank = np.asarray(rng.random(bodies, dtype=np.float32))[label]
    return Water(cover=cover, across=across / safe, down=down / safe, radius=radius, rank=rank)


def _pinning(size: Size, radius: Plane, rng: np.random.Generator) -> Plane:
    """Smooth noise, mostly in [−1, 1], that keeps outlines from being circles."""
    period = max(3.0, float(np.percentile(radius, 99)))
    lattice = rng.standard_normal((round(size[0] / period) + 2, round(size[1] / period) + 2))
    smooth = cv2.resize(
        lattice.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(np.clip(smooth / 2, -1, 1))
