"""Structural similarity (Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004)."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW, SPREAD = 11, 1.5
"""Side of the Gaussian window and its standard deviation, in pixels (section III.B)."""
K1, K2 = 0.01, 0.03


# Not torchmetrics': it counts windows beyond the border, mirrored (0.301 on a noisy photograph of
# 768x512 where this, and the inner part of scikit-image's map, give 0.296), and in float64 it takes
# ten times as long.
def ssim(picture: Tensor, clean: Tensor) -> float:
    """Mean of the SSIM map (equation 13) over R, G, B and all windows that lie inside.

    Not of luma: a restorer's colours count. No picture is made smaller first.

    Args:
        picture: RGB in [0, 1], (N, 3, H, W).
        clean: what it should be, same shape.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.
    """
    if picture.shape != clean.shape:
        raise ValueError(f"shapes {tuple(picture.shape)} and {tuple(clean.shape)} differ")
    if min(picture.shape[-2:]) < WINDOW:
        height, width = picture.shape[-2:]
        raise ValueError(f"{width}x{height} pixels; ssim needs {WINDOW}x{WINDOW}")
    x, y = picture.double(), clean.double()
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variance = mean_xx - mean_x**2 + mean_yy - mean_y**2
    covariance = mean_xy - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * (2 * covariance + c2) / (variance + c2)).mean())


def _blur(maps: Tensor) -> Tensor:
    """Gaussian means over both axes of (…, H, W), in windows that lie inside."""
    distance = torch.arange(WINDOW, dtype=maps.dtype) - WINDOW // 2
    window = torch.exp(-(distance**2) / (2 * SPREAD**2))
    weights = (window / window.sum()).tolist()
    for axis in (-2, -1):
        # Sums of shifted maps: convolutions in float64 take five times as long.
        length = maps.shape[axis] - WINDOW + 1
        total = torch.zeros_like(maps.narrow(axis, 0, length))
        for shift, weight in enumerate(weights):
            total.add_(maps.narrow(axis, shift, length), alpha=weight)
        maps = total
    return maps
