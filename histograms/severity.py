"""How severe a degradation is: two numbers per pair of images (GenDeg, arXiv 2411.17687)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Severity:
    """Mean and spread of |lq - gt| over all pixels and channels, RGB in [0, 1]."""

    mu: float
    """Mean, in [0, 1]."""
    sigma: float
    """Population standard deviation (no Bessel correction), in [0, 0.5]."""


def measure(lq: npt.NDArray[Any], gt: npt.NDArray[Any]) -> Severity:
    """Severity of the pair of a degraded image `lq` and its ground truth `gt`.

    Both are RGB, (H, W, 3), and of one dtype: uint8, or floating point in [0, 1]. For uint8 the
    sums are integers, so the result is exact up to one final rounding; floats are accumulated in
    float64.

    Raises ValueError if shapes or dtypes differ or are of another kind, or if floating-point
    values are not finite or leave [0, 1].
    """
    _check(lq, gt)
    if lq.dtype == np.uint8:
        return _measure_bytes(lq, gt)
    difference = np.abs(_floats(lq, "lq") - _floats(gt, "gt"))
    return Severity(mu=float(difference.mean()), sigma=float(difference.std()))


def _check(lq: npt.NDArray[Any], gt: npt.NDArray[Any]) -> None:
    if lq.shape != gt.shape:
        raise ValueError(f"lq and gt must have one shape, got {lq.shape} and {gt.shape}")
    if lq.ndim != 3 or lq.shape[2] != 3 or lq.size == 0:
        raise ValueError(f"lq and gt must be RGB images (H, W, 3), got shape {lq.shape}")
    if lq.dtype != gt.dtype:
        raise ValueError(f"lq and gt must have one dtype, got {lq.dtype} and {gt.dtype}")
    if lq.dtype != np.uint8 and not np.issubdtype(lq.dtype, np.floating):
        raise ValueError(f"lq and gt must be uint8, or float in [0, 1]; got {lq.dtype}")


def _measure_bytes(lq: npt.NDArray[np.uint8], gt: npt.NDArray[np.uint8]) -> Severity:
    difference = np.maximum(lq, gt) - np.minimum(lq, gt)
    n = difference.size
    total = int(difference.sum(dtype=np.int64))
    squares = int(np.square(difference, dtype=np.uint32).sum(dtype=np.int64))
    # Python integers do not overflow: the variance keeps all its digits before the division.
    variance = (n * squares - total * total) / (n * n * 255 * 255)
    return Severity(mu=total / (n * 255), sigma=sqrt(variance))


def _floats(image: npt.NDArray[Any], name: str) -> npt.NDArray[np.float64]:
    values = image.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 1.0):  # also catches NaN
        raise ValueError(
            f"{name} must lie in [0, 1] when it is floating point, got {low:g} to {high:g}; "
            "rescale it, or pass uint8"
        )
    return values
