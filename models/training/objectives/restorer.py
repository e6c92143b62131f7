"""What one optimizer step of a restorer does, and how near it comes to the clean pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gends.models.training.task import Batch, Loss

FLOOR = 1e-10
"""Least squared error that counts: identical pictures get 100 dB."""


def restorer_loss(
    restorer: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], batch: Batch
) -> Loss:
    """The criterion between what the restorer makes of `lq` and `gt`; reports PSNR beside it.

    Args:
        restorer: (N, 3, H, W) in [0, 1] to the same, not clamped; called under the caller's
            autocast.
        criterion: (restored, gt) → scalar.
        batch: `lq` and `gt`, float32 (N, 3, H, W), RGB in [0, 1].
    """
    restored = restorer(batch["lq"]).float()
    return criterion(restored, batch["gt"]), {"psnr": psnr(restored.detach(), batch["gt"]).mean()}


def psnr(restored: Tensor, gt: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, (N,), over pixels and channels.

    Args:
        restored: (N, 3, H, W), RGB; values outside of [0, 1] are clamped, as in a stored picture.
        gt: the same shape, in [0, 1].
    """
    error = (restored.float().clamp(0, 1) - gt.float()).square().mean((1, 2, 3))
    return -10 * torch.log10(error.clamp_min(FLOOR))
