from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from gends.models.pixels import Photo


def _square(image: np.ndarray, side: int) -> np.ndarray:
    short = min(image.shape[:2])
    top, left = (image.shape[0] - short) // 2, (image.shape[1] - short) // 2
    crop = np.ascontiguousarray(image[top : top + short, left : left + short])
    return cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def photos() -> list[np.ndarray]:
    """Three real photographs, uint8, 128×128."""
    images = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [_square(image, 128) for image in images]


@pytest.fixture(scope="session")
def photo(photos: list[np.ndarray]) -> Photo:
    """The first of them, float32 in [0, 1]."""
    return photos[0].astype(np.float32) / np.float32(255)
