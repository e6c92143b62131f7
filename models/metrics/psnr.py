"""Peak signal-to-noise ratio."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_PSNR = 100.0
"""dB. Equal pictures have an infinite ratio, and one of them would make every mean infinite."""
FLOOR = 10 ** (-MOST_PSNR / 10)
"""Least mean squared error that counts."""


# Not torchmetrics': equal pictures are infinite there, and a package would be needed for one line.
def decibels(squared_error: Tensor) -> Tensor:
    """10 log10(1 / e) of mean squared errors of pictures in [0, 1], in dB, at most `MOST_PSNR`."""
    return -10 * torch.log10(squared_error.clamp_min(FLOOR))


def psnr_each(pictures: Tensor, cleans: Tensor) -> Tensor:
    """PSNR in dB of each picture, (N,), over pixels and channels, in float32.

    Args:
        pictures: (N, 3, H, W), RGB; values outside of [0, 1] are clamped, as in a stored picture.
        cleans: the same shape, in [0, 1].
    """
    error = (pictures.float().clamp(0, 1) - cleans.float()).square().mean((1, 2, 3))
    return decibels(error)


def psnr(picture: Tensor, clean: Tensor) -> float:
    """PSNR in dB over all pixels and channels, in float64.

    Args:
        picture: RGB in [0, 1], any shape.
        clean: what it should be, same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if picture.shape != clean.shape:
        raise ValueError(f"shapes {tuple(picture.shape)} and {tuple(clean.shape)} differ")
    return float(decibels(torch.square(picture.double() - clean.double()).mean()))
