"""Means over neighbourhoods."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.pixels import Field


def smooth(values: Field, deviation: float) -> Field:
    """Gaussian mean of `deviation` pixels; mirrored at the borders."""
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.GaussianBlur(values, (0, 0), deviation, borderType=border), np.float32)
