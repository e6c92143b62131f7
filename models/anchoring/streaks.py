"""Rain falls one way: what is longest in that direction are its streaks."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.pixels import Plane

LENGTH, WIDTH = 6.0, 0.6
"""Standard deviations in pixels, along and across a streak, of the shortest and thinnest."""


def along_streaks(peaks: Plane) -> Plane:
    """Mean of (H, W) along the way that rain falls in all of it; mirrored at the borders."""
    kernel = _streak(_direction(peaks))
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.filter2D(peaks, -1, kernel, borderType=border), np.float32)


def _direction(peaks: Plane) -> float:
    """Angle in radians along which values change least: the structure tensor of all of the picture
    (Bigün and Granlund, ICCV 1987).
    """
    border = cv2.BORDER_REFLECT_101
    across, down = (
        np.asarray(cv2.Sobel(peaks, cv2.CV_64F, *axis, borderType=border))
        for axis in ((1, 0), (0, 1))
    )
    difference = np.square(across).mean() - np.square(down).mean()
    return float(np.arctan2(2 * (across * down).mean(), difference) / 2 + np.pi / 2)


def _streak(angle: float) -> Plane:
    """Gaussian of sum 1, `LENGTH` along the angle and `WIDTH` across it."""
    radius = int(3 * LENGTH)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = (x * np.cos(angle) + y * np.sin(angle)) / LENGTH
    across = (y * np.cos(angle) - x * np.sin(angle)) / WIDTH
    weights = np.exp(-(along**2 + across**2) / 2)
    return np.asarray(weights / weights.sum(), np.float32)
