"""The glow of a picture's bright spots in scattering air."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.filters.fourier import fast_size, filtered, spectrum, transfer
from gends.models.pixels import Photo, Plane

COARSE = 128
"""Shorter side, in pixels, of the copy on which light is spread: glow has no detail."""


def glow(image: Photo, *, radius: float, shape: float) -> Plane:
    """Light of the brightest spots spread by exp(−(r/`radius`)^`shape`), (H, W), largest value 1.

    The generalised Gaussian of Metari and Deschênes, ICCV 2007, about the hundredth of the
    picture that is brightest against its surroundings. `radius` is a fraction of the shorter side.
    """
    scale = min(1.0, COARSE / min(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    luma = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    side = min(luma.shape)
    # A lamp is small: a bright sky is none.
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (side // 16) + 1,) * 2)
    excess = luma * cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, disc)
    lamps = np.where(excess >= np.percentile(excess, 99), excess, np.float32(0))
    reach = max(luma.shape)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel = np.exp(-((np.hypot(x, y) / np.float32(radius * side)) ** np.float32(shape)))
    height, width = luma.shape
    padded = np.zeros(fast_size((height + 2 * reach, width + 2 * reach)), np.float32)
    padded[:height, :width] = lamps
    spread = filtered(spectrum(padded), transfer(np.asarray(kernel, np.float32), padded.shape))
    air = np.maximum(spread[:height, :width], 0)
    air = air / np.float32(max(float(air.max()), 1e-6))
    return np.asarray(np.clip(cv2.resize(air, image.shape[1::-1]), 0, 1), np.float32)
