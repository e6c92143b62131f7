"""Between what a photograph shows and the light that fell on the sensor."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.pixels import Photo

GAMMA = 2.2
"""Power law between display values and linear light, as in GoPro (Nah et al., CVPR 2017)."""


def expand(linear: Photo, shoulder: float) -> Photo:
    """Light of the scene from linear display light: z = x/(1 − k·x), k = `shoulder` in [0, 1).

    The inverse of a film-like tone curve (Reinhard et al., SIGGRAPH 2002): what the photograph
    shows as white was up to 1/(1 − k) times brighter.
    """
    return np.asarray(linear / (1 - np.float32(shoulder) * linear))


def compress(scene: Photo, shoulder: float) -> Photo:
    """Undo `expand`: x = z/(1 + k·z)."""
    return np.asarray(scene / (1 + np.float32(shoulder) * scene))


def decode(image: Photo, gamma: float = GAMMA) -> Photo:
    """Bring display values to linear light."""
    return np.asarray(cv2.pow(image, gamma))


def encode(linear: Photo) -> Photo:
    """Bring linear light to display values."""
    return np.asarray(cv2.pow(linear, 1 / GAMMA))
