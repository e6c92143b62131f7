"""Features of pictures for the FID: pool3 of Inception, pictures resized as clean-fid does."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.models.metrics.frechet import Features
from gends.models.metrics.pyiqa_metrics import create

SIDE = 299
"""Of the pictures that Inception takes."""
DIMENSIONS = 2048


class InceptionFeatures:
    """A picture's features, by pyiqa's copy of the network that the FID is defined with."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Raises MissingMetricError where pyiqa or the weights are out of reach."""
        self._network: Any = create("fid", device).net.model
        self._device = device
        self.origin = f"pyiqa {version('pyiqa')}, Inception pool3, clean-fid's resizing"

    @torch.inference_mode()
    def __call__(self, image: Image) -> Features:
        """uint8 (H, W, 3) RGB to (2048,)."""
        # Levels as pyiqa scales them for clean-fid; the network's own resizing is switched off.
        x = torch.from_numpy((resized(image) - 128) / 128).permute(2, 0, 1)[None]
        pooled = self._network(x.to(self._device), False, False)[0]
        features: Features = pooled.float().cpu().numpy().reshape(-1)
        return features


def resized(image: Image, side: int = SIDE) -> Features:
    """uint8 (H, W, 3) to float32 (side, side, 3) in [0, 255]: bicubic with antialiasing, unrounded
    (Parmar, Zhang and Zhu, CVPR 2022)."""
    channels = [
        Pillow.fromarray(image[..., channel].astype(np.float32)).resize(
            (side, side), Pillow.Resampling.BICUBIC
        )
        for channel in range(3)
    ]
    stacked: Features = np.stack([np.asarray(channel) for channel in channels], axis=-1)
    return stacked.clip(0, 255)


FeatureExtractor = Callable[[Image], Features]
