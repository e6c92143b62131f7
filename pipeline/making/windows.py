"""A picture at a quarter of its resolution, and means in windows of it."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

SCALE = 4
"""Pixels of the picture that become one, along either side."""

Values = TypeVar("Values", npt.NDArray[np.float32], npt.NDArray[np.float64])


def quarter(values: Values) -> Values:
    """Means of blocks of 4×4 pixels of `values` (H, W) or (H, W, C)."""
    height, width = values.shape[:2]
    size = (max(1, width // SCALE), max(1, height // SCALE))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), values.dtype)


def local_mean(values: Values, window: int) -> Values:
    """Means of windows of `window` pixels along either side; reflected at the borders."""
    blurred = cv2.blur(values, (window, window), borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, values.dtype)
