"""Regular textures: waves and edges of known frequency, as on charts of resolution."""

from __future__ import annotations

import numpy as np

from gends.models.degrader import Image
from gends.models.parametric.operation import Size
from gends.models.pixels import Plane, to_uint8

TAU = np.float32(2 * np.pi)

FINEST = 0.4
"""Cycles per pixel of the finest waves; more than 0.5 cannot be shown."""


def draw_regular(size: Size, rng: np.random.Generator) -> Image:
    """One of `ELEMENTS` between a light colour and its complement: about as dark as light."""
    wave = ELEMENTS[rng.integers(len(ELEMENTS))](size, rng)[..., None]
    light = np.ones(3) if rng.random() < 0.5 else rng.uniform(-0.3, 1, 3)
    light *= rng.uniform(0.35, 0.5) / np.abs(light).max()
    return to_uint8(np.float32(0.5) + wave * light.astype(np.float32))


def siemens_star(size: Size, rng: np.random.Generator) -> Plane:
    """Sinusoidal star of 36 cycles and more, grey where its rays are too fine to be shown.

    At most 144, and beyond 36 no more than leave the grey disc a third as wide as the shorter side.
    """
    y, x = _axes(size)
    most = int(np.clip(np.pi / 6 * min(size), 36, 144))
    cycles = int(rng.integers(36, most + 1))
    turns = np.arctan2(y, x) * np.float32(cycles) + np.float32(rng.uniform(0, 2 * np.pi))
    resolved = np.clip(TAU * np.hypot(y, x) / np.float32(cycles) - 2, 0, 1)
    return np.asarray(np.cos(turns) * resolved)


def chirp(size: Size, rng: np.random.Generator) -> Plane:
    """Wave that grows finer along a line in any direction."""
    along, _ = _turned(size, rng.uniform(0, 2 * np.pi))
    return _sweep(along - along.min(), 1 / rng.uniform(24, 64), FINEST)


def rings(size: Size, rng: np.random.Generator) -> Plane:
    """Concentric rings about any point, of even width or finer towards the outside."""
    y, x = _axes(size)
    middle = [np.float32(rng.uniform(-0.5, 0.5) * side) for side in size]
    coarse = 1 / rng.uniform(4, 24)
    fine = coarse if rng.random() < 0.5 else FINEST
    return _sweep(np.hypot(y - middle[0], x - middle[1]), coarse, fine)


def checkers(size: Size, rng: np.random.Generator) -> Plane:
    """Fields of 2 to 16 pixels, in any direction."""
    period = 2 * float(rng.integers(2, 17))
    u, v = _turned(size, rng.choice([0.0, rng.uniform(0, np.pi)]))
    return np.asarray(_bars(u, period) * _bars(v, period))


def slanted_edges(size: Size, rng: np.random.Generator) -> Plane:
    """Wide bars 5 degrees off the vertical or the horizontal, as for the response to an edge."""
    lean = np.deg2rad(rng.choice([-5, 5, 85, 95]))
    u, _ = _turned(size, lean)
    return _bars(u, rng.uniform(0.3, 0.6) * min(size))


def line_pairs(size: Size, rng: np.random.Generator) -> Plane:
    """Eight groups of lines, 1 to 8 pixels wide."""
    is_upright, is_falling = rng.random(2) < 0.5
    rows, columns = size[::-1] if is_upright else size
    widths = (8 * np.arange(rows, dtype=np.int64) // rows + 1)[:: -1 if is_falling else 1]
    lines = np.arange(columns, dtype=np.float32)[None]
    wave = _bars(lines, (2 * widths[:, None]).astype(np.float32))
    return np.ascontiguousarray(wave.T if is_upright else wave)


ELEMENTS = (siemens_star, chirp, rings, checkers, slanted_edges, line_pairs)
"""(size, rng) to a wave in [-1, 1], (H, W), whose mean is about 0."""


def _axes(size: Size) -> tuple[Plane, Plane]:
    """Pixels from the middle: a column and a row."""
    y, x = (np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2) for side in size)
    return y[:, None], x[None]


def _turned(size: Size, angle: float) -> tuple[Plane, Plane]:
    y, x = _axes(size)
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _sweep(distance: Plane, coarse: float, fine: float) -> Plane:
    """Cosine whose frequency goes from `coarse` at distance 0 to `fine` at the farthest."""
    rate = np.float32((fine - coarse) / (2 * float(distance.max())))
    return np.asarray(np.cos(TAU * (np.float32(coarse) + rate * distance) * distance))


def _bars(distance: Plane, period: float | Plane) -> Plane:
    """Bars as wide as the gaps between them, whose edges take a pixel."""
    phase = (distance / period) % np.float32(1)
    inside = np.abs(phase - np.float32(0.5)) - np.float32(0.25)
    return np.asarray(np.clip(2 * period * inside, -1, 1), np.float32)
