"""What one optimizer step of a restorer does."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from gends.models.metrics.psnr import psnr_each
from gends.models.training.task import Batch, Loss


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
    return criterion(restored, batch["gt"]), {
        "psnr": psnr_each(restored.detach(), batch["gt"]).mean()
    }
