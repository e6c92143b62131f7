"""Haze and low light: tones that change slowly while edges stay (I = a J + b around each pixel)."""

from __future__ import annotations

import numpy as np

from gends.models.anchoring.plane import mean
from gends.models.parametric.operation import Photo

RADIUS = 12
"""Pixels around each that share a and b: one and a half cells of an autoencoder."""
FLAT = 1e-3
"""Variance of the photograph below which it says nothing of contrast; (1/32)²."""
STEEPEST = 1.2
"""Largest a: neither fog nor darkness adds contrast."""


def tones_on(photograph: Photo, painted: Photo) -> Photo:
    """The guided filter of the photograph (He and others, TPAMI 2013, equations 5, 6 and 8).

    Koschmieder's I = J t + A (1 - t) is of this form, and so is what a weaker light leaves.
    """
    middle, painted_middle = mean(photograph, RADIUS), mean(painted, RADIUS)
    variance = np.maximum(mean(photograph * photograph, RADIUS) - middle * middle, 0)
    covariance = mean(photograph * painted, RADIUS) - middle * painted_middle
    contrast: Photo = np.clip(covariance / (variance + np.float32(FLAT)), 0, np.float32(STEEPEST))
    offset = painted_middle - contrast * middle
    return mean(contrast, RADIUS) * photograph + mean(offset, RADIUS)
