"""Which parts of a scene get most light: bright regions, and clouds of chance."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.fields.plasma import plasma
from gends.models.pixels import Photo, Plane

SIDE = 48
"""Pixels along the longer side from which the regions are taken: light varies slowly."""


def illumination(image: Photo, rng: np.random.Generator) -> Plane:
    """Smooth plane, (H, W), from 0 where there is least light to 1 where there is most.

    Half of it is the picture's own brightness at a coarse scale, so that skies, windows and lamps
    tend to be lit as a whole; half is chance.
    """
    height, width = image.shape[:2]
    shrink = SIDE / max(height, width)
    size = (max(2, round(width * shrink)), max(2, round(height * shrink)))
    gray = cv2.cvtColor(np.clip(image, 0, 1), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    coarse = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.5), np.float32)
    bright = cv2.resize(_stretched(coarse), (width, height), interpolation=cv2.INTER_CUBIC)
    mixed = _stretched(bright + plasma((height, width), rng, cells=1.2, octaves=2))
    steep = np.clip(np.float32(1.6) * mixed - np.float32(0.3), 0, 1)
    return np.asarray(steep * steep * (3 - 2 * steep))


def _stretched(plane: Plane) -> Plane:
    low, high = plane.min(), plane.max()
    return np.asarray((plane - low) / np.maximum(high - low, np.float32(1e-6)))
