"""Grounds that show little: one colour, and simple shapes upon one."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.degrader import Image

LEAST_CONTRAST = 0.3
"""Between a shape and the ground, largest difference of a channel."""


def draw_blank(side: int, rng: np.random.Generator) -> Image:
    """One colour."""
    blank = np.empty((side, side, 3), np.uint8)
    blank[:] = _colour(rng)
    return blank


def draw_simple(side: int, rng: np.random.Generator) -> Image:
    """Three to eight discs, rectangles and triangles of other colours upon one colour."""
    picture = draw_blank(side, rng)
    ground = picture[0, 0].tolist()
    for _ in range(rng.integers(3, 9)):
        colour = _colour(rng)
        while np.abs(np.subtract(colour, ground)).max() < LEAST_CONTRAST * 255:
            colour = _colour(rng)
        _shape(picture, colour, rng)
    return picture


def _shape(picture: Image, colour: list[int], rng: np.random.Generator) -> None:
    side = len(picture)
    x, y = (int(place) for place in rng.uniform(0.1, 0.9, 2) * side)
    radius, corners = rng.uniform(0.06, 0.2) * side, int(rng.choice([1, 3, 4]))
    if corners == 1:
        cv2.circle(picture, (x, y), round(radius), colour, -1, cv2.LINE_AA)
        return
    turns = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    around = np.column_stack([np.cos(turns), np.sin(turns)]) * radius + (x, y)
    cv2.fillPoly(picture, [np.rint(around).astype(np.int32)], colour, cv2.LINE_AA)


def _colour(rng: np.random.Generator) -> list[int]:
    """Any that is neither very dark nor very light, its three levels."""
    while True:
        colour = rng.integers(256, size=3)
        if 0.36 <= colour.mean() / 255 <= 0.64:
            return [int(level) for level in colour]
