"""The light that falls on bodies in the air, as far as a photograph tells it."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.pixels import Photo

GRID = 64
"""Rows and columns of the copy on which light is estimated."""
LEAST = 0.35
"""What a body still shows of its brightness in front of a black picture."""
COLOUR = 0.4
"""How much of the colour around a body it takes on."""


def lit(image: Photo, light: float, ambient: float) -> Photo:
    """Brightness of a white body at each place, (H, W, 3).

    `light` everywhere where `ambient` is 0; where it is 1, `light` times from 0.35 in black
    surroundings to 1 in white ones (as the root of the display value), a sixth of the picture wide.
    """
    small = cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_AREA)
    small = np.clip(cv2.GaussianBlur(small, (0, 0), GRID / 6), 0, 1)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    around = np.sqrt(gray + np.float32(COLOUR) * (small - gray))
    share = 1 - np.float32(ambient) * np.float32(1 - LEAST) * (1 - around)
    full = cv2.resize(np.float32(light) * share, image.shape[1::-1])
    return np.asarray(full, np.float32)
