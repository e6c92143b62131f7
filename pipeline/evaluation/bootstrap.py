"""Confidence intervals of means by the bootstrap (Efron and Tibshirani 1993, chapters 6 and 13)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
FEWEST = 5
"""Photographs. Of fewer, drawing gives so few different means that an interval would be far too
narrow: two photographs give three."""
_BLOCK = 1 << 22
"""Draws held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the mean of a group lies with a probability of `CONFIDENCE`."""

    low: float
    high: float


def mean_interval(
    values: npt.NDArray[np.float64],
    photographs: npt.NDArray[np.int64],
    *,
    resamples: int,
    seed: int,
) -> Interval | None:
    """Percentile interval of the mean; a function of the arguments alone.

    Whole photographs are drawn, with all of their pairs: pairs of one photograph are alike, and
    drawing them one by one would make the interval too narrow.

    Args:
        values: one per pair.
        photographs: which photograph each pair is of, any numbers.
        resamples: how often to draw; more make the interval's own ends steadier.
        seed: of the drawing.

    Returns:
        None for fewer than `FEWEST` photographs.
    """
    _, codes = np.unique(photographs, return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    if len(counts) < FEWEST:
        return None
    sums = np.bincount(codes, weights=values)
    rng = np.random.default_rng(seed)
    shares = np.full(len(counts), 1 / len(counts))
    means: list[npt.NDArray[np.float64]] = []
    block = max(1, _BLOCK // len(counts))
    for start in range(0, resamples, block):
        times = rng.multinomial(len(counts), shares, size=min(block, resamples - start))
        means.append((times @ sums) / (times @ counts))
    return percentile_interval(np.concatenate(means))


def percentile_interval(means: npt.NDArray[np.float64]) -> Interval:
    """Where `CONFIDENCE` of the resampled means lie, as many left out below as above."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(float(low), float(high))
