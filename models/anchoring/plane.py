"""Means over neighbourhoods of (H, W, 3) or (H, W)."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.operation import Photo


def smooth(values: Photo, deviation: float) -> Photo:
    """Gaussian mean of `deviation` pixels; mirrored at the borders."""
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.GaussianBlur(values, (0, 0), deviation, borderType=border), np.float32)


def mean(values: Photo, radius: int) -> Photo:
    """Mean of the square of `radius` pixels around each; mirrored at the borders."""
    window = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(values, window, borderType=cv2.BORDER_REFLECT_101), np.float32)
