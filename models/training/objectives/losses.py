"""What restorers are trained to make small. Images are (N, C, H, W) in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor  # hyperparameters name losses, and are read where torch is not

LossName = Literal["psnr", "l1"]

FLOOR = 1e-8
"""Added to mean squared errors under the logarithm, as published: 80 dB are the most."""


def psnr_loss(restored: Tensor, gt: Tensor) -> Tensor:
    """The negative PSNR of each image in dB, averaged: (10 / ln 10) · ln(MSE + 1e-8).

    NAFNet's (Chen et al., arXiv 2204.04676; HINet, arXiv 2105.06086). Computed in float32 under
    autocast too: the logarithm of a small error needs it.
    """
    error = (restored.float() - gt.float()).square().mean(dim=(1, 2, 3))
    return (10 / math.log(10)) * (error + FLOOR).log().mean()


def l1_loss(restored: Tensor, gt: Tensor) -> Tensor:
    """The mean absolute error, in float32 under autocast too."""
    return (restored.float() - gt.float()).abs().mean()


LOSSES: dict[LossName, Callable[[Tensor, Tensor], Tensor]] = {"psnr": psnr_loss, "l1": l1_loss}
"""Name → loss of (restored, gt), a scalar."""
