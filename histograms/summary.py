"""A profile in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gends.histograms.bins import Bins
from gends.histograms.tables import Counts, SeverityTable


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """What a profile holds of one dataset under one degradation."""

    degradation: str
    dataset: str
    pairs: float
    weight: float
    """As set, relative to the degradation's other datasets."""
    share: float
    """The probability that comes of it."""
    mu_p5: float
    mu_p50: float
    mu_p95: float


def summarize(tables: Mapping[str, SeverityTable], mu_bins: Bins) -> list[SummaryRow]:
    """One row per degradation and dataset, in the order of the mappings."""
    rows = []
    for degradation, table in tables.items():
        shares = table.shares
        for name, histogram in table.datasets.items():
            p5, p50, p95 = quantiles(histogram.mu, mu_bins, (0.05, 0.5, 0.95))
            rows.append(
                SummaryRow(
                    degradation=degradation,
                    dataset=name,
                    pairs=histogram.pairs,
                    weight=histogram.weight,
                    share=shares[name],
                    mu_p5=p5,
                    mu_p50=p50,
                    mu_p95=p95,
                )
            )
    return rows


def quantiles(counts: Counts, bins: Bins, levels: Sequence[float]) -> list[float]:
    """Quantiles of a histogram whose pairs are spread evenly inside each bin."""
    cumulative = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    return [float(value) for value in np.interp(levels, cumulative, bins.edges)]
