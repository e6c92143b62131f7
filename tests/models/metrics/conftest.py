"""A photograph, and ways in which it can be worse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def clean(photographs):
    """uint8 (H, W, 3), both sides odd."""
    return np.ascontiguousarray(photographs["chelsea"][:131, :177])


@pytest.fixture(scope="session")
def worse(clean):
    """Name → the photograph with noise, blurred, dark, as its negative, and untouched."""
    noise = np.random.default_rng(0).normal(0, 12, clean.shape)
    return {
        "noisy": np.clip(clean + noise, 0, 255).astype(np.uint8),
        "blurred": cv2.GaussianBlur(clean, (0, 0), 3),
        "dark": clean // 3,
        "negative": 255 - clean,
        "same": clean.copy(),
    }


@pytest.fixture(scope="session")
def tensor():
    """uint8 (H, W, 3) → float32 (1, 3, H, W) in [0, 1]."""

    def convert(image):
        return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255

    return convert
