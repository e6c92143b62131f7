"""Draws severities of one degradation."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from gends.histograms.bins import Bins
from gends.histograms.smoothing import smooth, smooth_rows
from gends.histograms.tables import Counts, DatasetHistogram, SeverityTable, span


@dataclass(frozen=True, slots=True)
class Draw:
    """One severity to ask a degrader for."""

    mu: float
    sigma: float
    dataset: str
    """Whose histogram it was drawn from."""
    random_sampled: bool
    """Whether it was drawn uniformly over that dataset's range rather than from the counts."""


class SeveritySampler:
    """Draws severities from one table, everything that can be summed up beforehand summed up.

    Cumulative counts are tuples searched with bisect: for one draw at a time that is several times
    faster than numpy, and a plan asks for millions.
    """

    __slots__ = ("_mu_edges", "_mu_width", "_names", "_rows", "_sets", "_sigma_edges",
                 "_sigma_width", "_weights")  # fmt: skip

    def __init__(self, table: SeverityTable, mu_bins: Bins, sigma_bins: Bins) -> None:
        self._mu_edges: list[float] = mu_bins.edges.tolist()
        self._mu_width = mu_bins.width
        self._sigma_edges: list[float] = sigma_bins.edges.tolist()
        self._sigma_width = sigma_bins.width
        histograms = table.datasets.values()
        self._names = tuple(table.datasets)
        self._weights = _cumulative(np.array([histogram.weight for histogram in histograms]))
        self._sets = [_Set(histogram, mu_bins, sigma_bins) for histogram in histograms]
        self._rows = _filled_rows(table.sigma_given_mu)

    def draw(self, rng: np.random.Generator, uniform_share: float) -> Draw:
        """One severity; always consumes six uniform numbers of `rng`."""
        u: list[float] = rng.random(6).tolist()
        index = bisect_right(self._weights, u[0])
        dataset = self._sets[index]
        if u[1] < uniform_share:
            mu = dataset.mu_low + u[2] * (dataset.mu_high - dataset.mu_low)
            sigma = dataset.sigma_low + u[4] * (dataset.sigma_high - dataset.sigma_low)
            return Draw(mu, sigma, self._names[index], True)
        mu_bin = bisect_right(dataset.mu, u[2])
        sigma_bin = bisect_right(self._rows[mu_bin], u[4])
        mu = self._mu_edges[mu_bin] + u[3] * self._mu_width
        sigma = self._sigma_edges[sigma_bin] + u[5] * self._sigma_width
        return Draw(mu, sigma, self._names[index], False)


class _Set:
    """What is drawn from of one dataset."""

    __slots__ = ("mu", "mu_high", "mu_low", "sigma_high", "sigma_low")

    def __init__(self, histogram: DatasetHistogram, mu_bins: Bins, sigma_bins: Bins) -> None:
        self.mu = _cumulative(smooth(histogram.mu))
        self.mu_low, self.mu_high = _bounds(histogram.mu, mu_bins)
        self.sigma_low, self.sigma_high = _bounds(histogram.sigma, sigma_bins)


def _bounds(counts: Counts, bins: Bins) -> tuple[float, float]:
    first, end = span(counts)
    edges = bins.edges
    return float(edges[first]), float(edges[end])


def _cumulative(counts: Counts) -> tuple[float, ...]:
    """Cumulative probabilities; the last is exactly 1, so bisecting them stays in range."""
    sums = np.cumsum(counts)
    return tuple((sums / sums[-1]).tolist())


def _filled_rows(table: Counts) -> list[tuple[float, ...]]:
    """Cumulative sigma of every mu row; an empty row is its nearest non-empty one, or the lower."""
    smoothed = smooth_rows(table)
    occupied = np.flatnonzero(smoothed.any(axis=1))
    rows = {int(row): _cumulative(smoothed[row]) for row in occupied}
    nearest = [int(occupied[np.abs(occupied - row).argmin()]) for row in range(len(table))]
    return [rows[row] for row in nearest]
