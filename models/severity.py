"""How severe a degradation is, for batches of tensors on any device."""

from __future__ import annotations

import torch
from torch import Tensor


def measure(lq: Tensor, gt: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation of |lq - gt| over all pixels and channels.

    Args:
        lq: Degraded images (N, 3, H, W), RGB: floating point in [0, 1], or uint8.
        gt: What they are paired with, same shape and dtype.

    Returns:
        (mu, sigma), each (N,), of the unit range in both cases; float64 for float64 images, else
        float32.

    Raises:
        ValueError: shapes or dtypes differ or are not as above.
    """
    if lq.shape != gt.shape or lq.dtype != gt.dtype or lq.ndim != 4 or lq.shape[1] != 3:
        raise ValueError(
            f"lq is {lq.dtype} {tuple(lq.shape)} and gt {gt.dtype} {tuple(gt.shape)}; "
            "both must be (N, 3, H, W) of one size and dtype"
        )
    if lq.dtype == torch.uint8:
        difference = (lq.to(torch.int16) - gt.to(torch.int16)).abs().float() / 255
    elif lq.is_floating_point():
        wide = torch.promote_types(lq.dtype, torch.float32)
        difference = (lq.to(wide) - gt.to(wide)).abs()
    else:
        raise ValueError(f"images are {lq.dtype}; give floating point in [0, 1] or uint8")
    variance, mean = torch.var_mean(difference, dim=(1, 2, 3), correction=0)
    return mean, variance.sqrt()
