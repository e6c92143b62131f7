"""Fits a severity profile to measured pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import numpy as np

from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins
from gends.histograms.profile import Profile
from gends.histograms.tables import DatasetHistogram, SeverityTable

Row = tuple[str, str, float, float]
"""One measured pair: degradation, dataset, mu, sigma."""


def fit(
    rows: Iterable[Row],
    *,
    weights: Mapping[str, float] | None = None,
    mu_bins: Bins = MU_BINS,
    sigma_bins: Bins = SIGMA_BINS,
    source: str = "",
) -> Profile:
    """Profile of the pairs in `rows`, read once; memory does not grow with their number.

    `weights` sets how often a dataset is drawn, by its name; the others keep 1. Severities beyond
    the last bin are counted in it, as GenDeg does. Raises ValueError if there are no rows, for
    severities that are negative or not finite, and for weights of datasets that never occur.
    """
    counts = _Counts(mu_bins, sigma_bins)
    for row in rows:
        counts.add(row)
    return Profile(
        degradations=counts.tables(weights or {}),
        mu_bins=mu_bins,
        sigma_bins=sigma_bins,
        source=source,
    )


def check_weights(weights: Iterable[str], known: Set[str]) -> None:
    """Raise ValueError for a weight of a dataset that is not known."""
    if unknown := sorted(set(weights) - known):
        raise ValueError(
            f"weights name {', '.join(unknown)}, but the pairs come from {', '.join(sorted(known))}"
        )


class _Counts:
    """Pairs counted so far."""

    def __init__(self, mu_bins: Bins, sigma_bins: Bins) -> None:
        self._mu_bins = mu_bins
        self._sigma_bins = sigma_bins
        # One joint table per dataset: its sums are everything a profile asks for.
        self._joint: dict[tuple[str, str], np.ndarray[tuple[int, int], np.dtype[np.int64]]] = {}

    def add(self, row: Row) -> None:
        degradation, dataset, mu, sigma = row
        try:
            cell = self._mu_bins.index(mu), self._sigma_bins.index(sigma)
        except ValueError as error:
            raise ValueError(f"a pair of {dataset} ({degradation}): {error}") from error
        key = degradation, dataset
        if key not in self._joint:
            self._joint[key] = np.zeros((self._mu_bins.count, self._sigma_bins.count), np.int64)
        self._joint[key][cell] += 1

    def tables(self, weights: Mapping[str, float]) -> dict[str, SeverityTable]:
        if not self._joint:
            raise ValueError("there are no pairs to fit a severity profile to")
        check_weights(weights, {dataset for _, dataset in self._joint})
        return {
            degradation: self._table(degradation, weights)
            for degradation in {degradation: None for degradation, _ in self._joint}
        }

    def _table(self, degradation: str, weights: Mapping[str, float]) -> SeverityTable:
        joint = {
            dataset: table for (name, dataset), table in self._joint.items() if name == degradation
        }
        datasets = {
            dataset: DatasetHistogram(
                mu=table.sum(axis=1), sigma=table.sum(axis=0), weight=weights.get(dataset, 1.0)
            )
            for dataset, table in joint.items()
        }
        pooled = np.sum(list(joint.values()), axis=0)
        return SeverityTable(datasets=datasets, sigma_given_mu=pooled)
