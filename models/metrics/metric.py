"""What a metric is: a number for one picture, beside its clean one where it needs that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, ready to be used."""

    name: str
    """As tables print it in lower case: psnr, ssim, lpips, …"""
    lower_is_better: bool
    score: Callable[[Tensor, Tensor], float]
    """(picture, clean), both (1, 3, H, W) RGB float32 in [0, 1] on one device. A metric without
    reference does not look at the second."""
    origin: str
    """Which implementation, and its version."""


class MissingMetricError(ValueError):
    """A metric that cannot be computed here; the message says why and what would help."""
