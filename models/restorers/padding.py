"""Any image size for networks that halve it several times."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(image: Tensor, multiple: int) -> Tensor:
    """(N, C, H, W) continued at the bottom and at the right to multiples of `multiple`.

    The picture is mirrored without repeating its border, back and forth where it is smaller than
    the padding (torch's own reflection refuses that). An image that fits is returned as it is.
    """
    for dim in (-2, -1):
        size = image.shape[dim]
        if size % multiple:
            image = image.index_select(
                dim, _positions(size, -(-size // multiple) * multiple, image)
            )
    return image


def _positions(size: int, length: int, like: Tensor) -> Tensor:
    """Where each of `length` pixels comes from: 0, 1, …, size-1, size-2, …, 0, 1, …"""
    period = max(1, 2 * (size - 1))
    phase = torch.arange(length, device=like.device) % period
    return torch.minimum(phase, period - phase) if size > 1 else phase
