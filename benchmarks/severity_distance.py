"""How far severities of pairs lie from those of a histogram, or from what was asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gends.histograms.bins import MU_BINS, Bins
from gends.histograms.tables import Counts

Values = npt.NDArray[np.float64]
GRID = np.linspace(0, 1, 8193)
"""Where areas between distributions are summed: severities lie in [0, 1]."""


def distribution(counts: Counts, bins: Bins) -> Callable[[Values], Values]:
    """The cumulative distribution of a histogram, even inside its bins."""
    sums = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    return lambda values: np.interp(values, bins.edges, sums)


def kolmogorov_smirnov(values: Values, published: Callable[[Values], Values]) -> float:
    """Largest distance between the two cumulative distributions."""
    there, count = published(np.sort(values)), len(values)
    steps = np.arange(count + 1) / count
    return round(float(max(np.abs(there - steps[1:]).max(), np.abs(there - steps[:-1]).max())), 4)


def wasserstein(values: Values, published: Callable[[Values], Values]) -> float:
    """Area between the two cumulative distributions: how far severities are to be moved."""
    empirical = np.searchsorted(np.sort(values), GRID, side="right") / len(values)
    return round(float(np.abs(empirical - published(GRID)).mean()), 5)


def correlation(severities: Values) -> float:
    """Of mu with sigma."""
    return round(float(np.corrcoef(severities.T)[0, 1]), 3)


def missed(made: Values, asked: Values) -> float:
    """Share of the pairs whose mu is more than a bin off."""
    return round(float((np.abs(made[:, 0] - asked[:, 0]) > MU_BINS.width).mean()), 4)
