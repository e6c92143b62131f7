"""Fréchet distance of two sets of features (Dowson and Landau 1982; FID: Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]


# Not torchmetrics': it wants whole covariances and eigenvalues of their product. For 50 pictures
# that is 15 s in place of 1 ms, and no digit more.
def frechet_distance(one: Features, other: Features) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) of the Gaussians fitted to two sets.

    With centred sets A and B, C1 = AᵀA / (n - 1), and the trace of the root is the sum of the
    singular values of A Bᵀ over the root of (n - 1)(m - 1): nothing is regularised, and few
    pictures cost little. Where there are more pictures than features, triangular factors of A and
    B stand for them.

    Args:
        one: (N, D), N at least 2.
        other: (M, D), M at least 2.

    Raises:
        ValueError: fewer than two rows in a set.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(
            f"sets of {len(one)} and {len(other)} pictures: a covariance needs at least 2"
        )
    mean_one, factor_one = _factor(one)
    mean_other, factor_other = _factor(other)
    cross = np.linalg.svd(factor_one @ factor_other.T, compute_uv=False).sum()
    spread = np.square(factor_one).sum() + np.square(factor_other).sum()
    return float(max(np.square(mean_one - mean_other).sum() + spread - 2 * cross, 0.0))


def _factor(features: Features) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean, and F with FᵀF = covariance and at most D rows."""
    count, dimensions = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    factor = np.zeros((0, dimensions))
    for start in range(0, count, dimensions):
        block = np.concatenate([factor, features[start : start + dimensions] - mean])
        if len(block) > dimensions:
            block = np.asarray(np.linalg.qr(block, mode="r"))
        factor = block
    return mean, factor / np.sqrt(count - 1)
