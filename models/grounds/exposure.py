"""Pictures neither too dark nor too light for a degradation to show."""

from __future__ import annotations

import cv2
import numpy as np

from gends.models.degrader import Image

DARKEST, LIGHTEST = 0.36, 0.64
"""Means, RGB in [0, 1], between which a part of a ground is left as it is."""

HALVINGS = 12


def is_exposed(image: Image) -> bool:
    """Whether `exposed` leaves the picture as it is."""
    return DARKEST <= float(image.mean()) / 255 <= LIGHTEST


def exposed(image: Image) -> Image:
    """The picture itself, or raised to the power that brings its mean to the nearer limit.

    What is black or white stays so, and a picture of little else keeps its mean.
    """
    if is_exposed(image):
        return image
    counts = np.bincount(image.ravel(), minlength=256)
    levels = np.arange(256) / 255
    wanted = DARKEST if counts @ levels < DARKEST * image.size else LIGHTEST
    low, high = -3.0, 3.0  # logarithms of the power, to base 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(counts @ levels ** (2**middle)) / image.size > wanted:
            low = middle
        else:
            high = middle
    table = np.rint(255 * levels ** (2**low)).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)
