"""Where drops hit the ground: a flat crown and the droplets that leap from it."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.fields.particles import Bodies, Column
from gends.models.pixels import Photo

MOST = 500
"""Splashes in a square picture when there are most."""
DROPLETS = 5
HORIZON = 0.45
"""Ground begins below this fraction of the height, if nobody measured it."""


def splashes(image: Photo, share: float, rng: np.random.Generator) -> Bodies:
    """Draw `share` of the most splashes, smaller towards the horizon, first where edges face up."""
    height, width = image.shape[:2]
    side = min(height, width)
    count = round(share * MOST * max(height, width) / side)
    x, y = _ground(image, count, rng)
    size = side * (0.002 + 0.010 * (y / height - HORIZON) / (1 - HORIZON))
    size = size * rng.uniform(0.6, 1.4, count)
    y = np.minimum(y, height - 3 - size)
    parts = DROPLETS + 1
    aside, up = rng.normal(0, 1.0, (parts, count)), rng.uniform(0.2, 1.6, (parts, count))
    aside[0], up[0] = 0, 0
    flat = np.zeros((parts, count), bool)
    flat[0] = True
    radius = np.maximum(np.where(flat, 0.22, 0.13) * size, 0.55)
    bodies = {
        "x": x + aside * size,
        "y": y - up * size,
        "angle": np.where(flat, 90.0, -35 * aside),
        "path": np.where(flat, 1.6, 0.4) * size,
        "radius": radius,
        "softness": 1.5 * radius,
        "opacity": np.where(flat, 0.35, 0.6) * rng.uniform(0.4, 1, (parts, count)),
        "taper": np.full((parts, count), 0.8),
        "lobes": np.zeros((parts, count)),
        "rank": np.tile(rng.random(count), (parts, 1)),
    }
    return Bodies(**{name: value.astype(np.float32).ravel() for name, value in bodies.items()})


def _ground(image: Photo, count: int, rng: np.random.Generator) -> tuple[Column, Column]:
    """Choose one of four places each, by how much the picture brightens downwards there."""
    height, width = image.shape[:2]
    x = rng.uniform(0, width, (4, count))
    y = height * (HORIZON + (1 - HORIZON) * np.sqrt(rng.random((4, count)))) - 1
    luma = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
    rise = cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    best = np.argmax(rise[y.astype(np.int64), x.astype(np.int64)], axis=0)
    chosen = (best, np.arange(count))
    return x[chosen].astype(np.float32), y[chosen].astype(np.float32)
