"""An object in a picture, and what may lie behind it, when nobody marked either."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.guided_filter import guided_filter
from gends.models.parametric.fields.plasma import plasma
from gends.models.pixels import Photo, Plane

COARSE = 128
"""Shorter side, in pixels, of the copy on which the background is filled in."""


def matte(image: Photo, diameter: float, rng: np.random.Generator) -> Plane:
    """A blob of `diameter` shorter sides that follows the outlines of `image`, (H, W), [0, 1]."""
    height, width = image.shape[:2]
    side = min(height, width)
    x, y = rng.uniform(0.25, 0.75, 2) * (width, height)
    row, column = np.ogrid[:height, :width]
    distance = np.hypot(column - x, (row - y) / rng.uniform(1.0, 1.8)) / side
    rough = plasma((height, width), rng, cells=5.0, octaves=3) - np.float32(0.5)
    blob = (distance + 0.25 * diameter * rough < diameter / 2).astype(np.float32)
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    slope, offset = guided_filter(
        blob, luma, _slope, radius=max(2, round(0.03 * side)), border=cv2.BORDER_REFLECT
    )
    return np.asarray(np.clip(1.6 * (slope * luma + offset) - 0.3, 0, 1), np.float32)


def _slope(covariance: Plane, variance: Plane) -> Plane:
    return np.asarray(covariance / (variance + np.float32(1e-3)))


def filled(image: Photo, known: Photo) -> Photo:
    """Fill in, smoothly, what is not `known` (H, W, 1) from ever wider surroundings."""
    scale = min(1.0, COARSE / min(image.shape[:2]))
    trusted = known**4
    joined = np.concatenate([image * trusted, trusted], axis=2)
    small = _resized(joined, scale)
    # Where nothing is known far and wide, the picture's mean stands in.
    total = np.full_like(small, 1e-6)
    total[..., :3] *= image.mean(axis=(0, 1))
    for share in (0.01, 0.03, 0.1, 0.3):
        near = cv2.GaussianBlur(small, (0, 0), share * min(small.shape[:2]))
        total = total + np.clip(1 - total[..., 3:], 0, 1) * near
    out = np.asarray(total[..., :3] / total[..., 3:], np.float32)
    return np.asarray(cv2.resize(out, image.shape[1::-1]), np.float32)


def _resized(field: Photo, scale: float) -> Photo:
    return np.asarray(
        cv2.resize(field, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
    )
