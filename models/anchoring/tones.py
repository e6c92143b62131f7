"""Haze and low light: tones that change slowly while edges stay (I = a J + b around each pixel)."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.guided_filter import guided_filter
from gends.models.pixels import Photo

CELLS = 12
"""Pixels around each that share a haze's a and b: one and a half cells of an autoencoder. Haze
differs with the distance of what is behind it."""
SCENE = 0.375
"""The same of low light, by the picture's shorter side: a weaker light falls on all of a scene."""
FLAT = 1e-3
"""Variance of the photograph below which it says nothing of contrast; (1/32)²."""
STEEPEST_HAZE, STEEPEST_DARK = 1.2, 1.0
"""Largest a: neither fog nor darkness adds contrast, but fog is fitted in few pixels."""


def haze_on(photograph: Photo, painted: Photo) -> Photo:
    """Koschmieder's I = J t + A (1 - t) is of this form."""
    return _tones_on(photograph, painted, CELLS, STEEPEST_HAZE)


def low_light_on(photograph: Photo, painted: Photo) -> Photo:
    """So is what a weaker light leaves, up to noise."""
    radius = int(SCENE * min(photograph.shape[:2]))
    return _tones_on(photograph, painted, radius, STEEPEST_DARK)


def _tones_on(photograph: Photo, painted: Photo, radius: int, steepest: float) -> Photo:
    """The guided filter of the photograph, that of each channel by itself."""

    def slope(covariance: Photo, variance: Photo) -> Photo:
        least = np.maximum(variance, 0) + np.float32(FLAT)
        return np.asarray(np.clip(covariance / least, 0, np.float32(steepest)), np.float32)

    border = cv2.BORDER_REFLECT_101
    contrast, offset = guided_filter(painted, photograph, slope, radius=radius, border=border)
    return contrast * photograph + offset
