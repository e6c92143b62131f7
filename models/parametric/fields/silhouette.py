"""Where a shadow falls: outlines of buildings and bodies, foliage, branches."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gends.models.parametric.operation import Size
from gends.models.pixels import Plane

MATTES = ("building", "body", "foliage", "branches")
Points = npt.NDArray[np.float64]
"""(N, 2): along the shadow and across it, about the picture's middle, in shorter sides."""
SHIFT = 4
"""Bits of a pixel's fraction in OpenCV's drawing."""


def matte(
    shape: Size, rng: np.random.Generator, *, kind: str, direction: float, size: float
) -> Plane:
    """Cover in [0, 1], (H, W), of a shadow that falls in `direction` degrees, 0 to the right."""
    outlines = {
        "building": _building,
        "body": _body,
        "foliage": _foliage,
        "branches": _branches,
    }[kind](rng)
    canvas = np.zeros(shape, np.uint8)
    slant = np.deg2rad(direction)
    turn = np.array([[np.cos(slant), np.sin(slant)], [-np.sin(slant), np.cos(slant)]])
    middle = np.array([shape[1], shape[0]]) * rng.uniform(0.4, 0.6, 2)
    for outline in outlines:
        points = (size * outline @ turn * min(shape) + middle) * 2**SHIFT
        cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA, SHIFT)
    return np.asarray(canvas / np.float32(255), np.float32)


def _building(rng: np.random.Generator) -> list[Points]:
    """A roof line of steps and slants; the shadow fills all before it."""
    across = np.sort(rng.uniform(-1.5, 1.5, rng.integers(3, 8)))
    edges = np.concatenate([[-3.0], np.repeat(across, 2), [3.0]])
    heights = np.repeat(rng.uniform(-0.25, 0.35, len(across) + 1), 2)
    heights[1:-1] += rng.uniform(-0.08, 0.08, len(heights) - 2) * (rng.random() < 0.5)
    line = np.stack([heights, edges], axis=1)
    return [np.concatenate([[[-4.0, -3.0]], line, [[-4.0, 3.0]]])]


def _ellipse(along: float, across: float, length: float, width: float, turn: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    x, y = length * np.cos(angle), width * np.sin(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.stack([along + x * cosine - y * sine, across + x * sine + y * cosine], axis=1)


def _body(rng: np.random.Generator) -> list[Points]:
    """A standing person drawn out by a low sun: legs, trunk, arms, head."""
    lean, wide = rng.uniform(-0.15, 0.15), rng.uniform(0.09, 0.14)
    legs = [_ellipse(-0.45, s * wide * 0.5, 0.42, wide * 0.38, s * 0.06) for s in (-1, 1)]
    trunk = _ellipse(0.1, lean * 0.2, 0.32, wide, lean)
    arms = [
        _ellipse(0.05, s * wide * 1.15, 0.3, wide * 0.26, s * rng.uniform(-0.3, 0.1))
        for s in (-1, 1)
    ]
    return [*legs, trunk, *arms, _ellipse(0.52, lean * 0.5, 0.14, wide * 0.6, lean)]


def _foliage(rng: np.random.Generator) -> list[Points]:
    """Dead leaves: discs of radii that fall as a power law, in clumps about a crown."""
    clumps = rng.normal((-0.5, 0.0), (0.35, 0.6), (24, 2))
    number = int(rng.integers(2000, 4000))
    places = clumps[rng.integers(len(clumps), size=number)] + rng.normal(0, 0.13, (number, 2))
    # Inverse of the cumulative r^-3 law of dead leaves (Lee, Mumford and Huang, IJCV 2001).
    radii = 0.01 / np.sqrt(1 - rng.uniform(0, 0.92, number))
    flat, turns = rng.uniform(0.25, 0.7, number), rng.uniform(0, np.pi, number)
    leaves = zip(places, radii, flat, turns, strict=True)
    return [_ellipse(p[0], p[1], r, r * f, t) for p, r, f, t in leaves]


def _branches(rng: np.random.Generator) -> list[Points]:
    """A trunk that forks six times; each limb is shorter and thinner than its parent."""
    limbs: list[Points] = []
    tips = [(np.array([-1.1, rng.uniform(-0.2, 0.2)]), rng.uniform(-0.2, 0.2), 0.65, 0.045)]
    for _ in range(7):
        grown = []
        for foot, turn, length, width in tips:
            way = np.array([np.cos(turn), np.sin(turn)])
            side, tip = np.array([-way[1], way[0]]), foot + length * way
            ends = (foot, -width), (tip, -0.7 * width), (tip, 0.7 * width), (foot, width)
            limbs.append(np.stack([p + side * w for p, w in ends]))
            for sign in (-1, 1):
                bend = turn + sign * rng.uniform(0.15, 0.65)
                grown.append((tip, bend, length * rng.uniform(0.55, 0.8), 0.7 * width))
        tips = grown
    return limbs
