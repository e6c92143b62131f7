"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOST_PSNR = 100.0
"""dB. Equal pictures have an infinite ratio, and one of them would make every mean infinite."""


def psnr(picture: Tensor, clean: Tensor) -> float:
    """10 log10(1 / mean squared error) over all pixels and channels, in dB, at most `MOST_PSNR`.

    Args:
        picture: RGB in [0, 1], any shape.
        clean: what it should be, same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if picture.shape != clean.shape:
        raise ValueError(f"shapes {tuple(picture.shape)} and {tuple(clean.shape)} differ")
    error = float(torch.square(picture.double() - clean.double()).mean())
    return MOST_PSNR if error == 0 else min(MOST_PSNR, -10 * math.log10(error))
