"""Gaussian blur whose cost does not grow with its width."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.pixels import Field

FINE = 4.0
"""Standard deviation, in pixels, that the blur has on the copy on which it is done."""


def soften(image: Field, sigma: float) -> Field:
    """Blur with standard deviation `sigma` pixels; a wide one on a smaller copy."""
    times = max(1.0, sigma / FINE)
    if times == 1.0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma, 0.3)), np.float32)
    height, width = image.shape[:2]
    shape = (max(8, round(width / times)), max(8, round(height / times)))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma * shape[0] / width)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
