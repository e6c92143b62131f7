"""Rebuilds the embedded reference profile from published quantiles.

Run as `python -m gends.histograms.build_reference [OUT]`. The quantiles lie beside the profile in
data/published_quantiles.json. Between two of them nothing is known, so the cumulative distribution
is a straight line there. Straight lines to the two extremes would make the tails too heavy: a few
outliers would spread a twentieth of the pairs evenly over half the range. So a tail continues the
density beside it, falls exponentially, and leaves one pair for the outermost bin.

Sigma is published for a few ranges of mu, not for every mu. Its table is the one nearest to a
prior in which sigma follows mu smoothly, among those that have the published sigma quantiles in
every range and the pooled mu histogram as row sums (iterative proportional fitting).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins
from gends.histograms.profile import Profile
from gends.histograms.tables import Counts, DatasetHistogram, SeverityTable

ROUNDS = 200
"""Rounds of proportional fitting; the margins agree to 1e-9 of the pairs long before."""

DECIMALS = 4
"""Expected counts are stored to a ten-thousandth of a pair."""


def build() -> Profile:
    """The reference profile, computed from the published quantiles."""
    resource = resources.files("gends.histograms") / "data" / "published_quantiles.json"
    published = json.loads(resource.read_text(encoding="utf-8"))
    levels = published["quantile_levels"]
    return Profile(
        degradations={
            name: _table(value, levels) for name, value in published["degradations"].items()
        },
        source=published["source"],
    )


def histogram(
    quantiles: Sequence[float], levels: Sequence[float], pairs: float, bins: Bins
) -> Counts:
    """Expected counts per bin, (bins,), of so many pairs with these quantiles.

    `quantiles` and `levels` ascend, levels from 0 to 1. The two extremes are bin edges that were
    rounded. Raises ValueError if less than one pair lies outside the second or the last but one.
    """
    if min(levels[1], 1 - levels[-2]) * pairs < 1:
        raise ValueError(f"{pairs} pairs are too few for tails of {levels[1]:g}")
    x, q = bins.edges, np.array(quantiles)
    q[[0, -1]] = [x[np.abs(x - extreme).argmin()] for extreme in q[[0, -1]]]
    counts: Counts = np.diff(np.interp(x, q[1:-1], levels[1:-1])) * pairs
    lower = np.diff(-_tail(-x, -q[2::-1], levels[1] * pairs, (levels[2] - levels[1]) * pairs))
    upper = np.diff(_tail(x, q[-3:], (1 - levels[-2]) * pairs, (levels[-2] - levels[-3]) * pairs))
    return counts + lower + upper


def _tail(
    x: npt.NDArray[np.float64], knots: npt.NDArray[np.float64], pairs: float, beside: float
) -> Counts:
    """Pairs of an upper tail below each bin edge `x`.

    `knots` are the last three quantiles: `beside` pairs lie between the first two of them, and
    `pairs` between the last two, of which one is the extreme itself.
    """
    start, end = knots[1], knots[2]
    rest = pairs - 1.0
    decay = _decay(rest * (start - knots[0]) / (beside * (end - start)))
    t = np.clip((x - start) / (end - start), 0.0, 1.0)
    body = rest * np.expm1(-decay * t) / np.expm1(-decay)
    extreme = np.isclose(x, end) | (x > end)
    below: Counts = body + extreme
    return below


def _decay(ratio: float) -> float:
    """Decay over a tail whose mean density is `ratio` of the density at its start.

    Solves (1 - exp(-k)) / k = ratio for k; a tail denser than that is level.
    """
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = (low * high) ** 0.5
        if -np.expm1(-middle) / middle > ratio:
            low = middle
        else:
            high = middle
    return low


def _table(published: dict[str, Any], levels: Sequence[float]) -> SeverityTable:
    datasets = {
        name: DatasetHistogram(
            mu=_round(histogram(value["mu_quantiles"], levels, value["pairs"], MU_BINS)),
            sigma=_round(histogram(value["sigma_quantiles"], levels, value["pairs"], SIGMA_BINS)),
            weight=value["weight"],
        )
        for name, value in published["datasets"].items()
    }
    pooled = np.sum([dataset.mu for dataset in datasets.values()], axis=0)
    table = _sigma_given_mu(pooled, published["sigma_given_mu"], levels)
    return SeverityTable(datasets=datasets, sigma_given_mu=_round(table))


def _sigma_given_mu(
    pooled: Counts, ranges: Sequence[dict[str, Any]], levels: Sequence[float]
) -> Counts:
    """Counts of shape (mu bins, sigma bins) with the margins of the pooled mu and the ranges."""
    # The ranges are whole bins whose edges were printed with three decimals.
    ends = [[round(edge / MU_BINS.width) for edge in item["mu_range"]] for item in ranges]
    targets = [
        histogram(item["sigma_quantiles"], levels, item["pairs"], SIGMA_BINS)
        * (pooled[first:end].sum() / item["pairs"])
        for item, (first, end) in zip(ranges, ends, strict=True)
    ]
    table = _prior(pooled, ends, targets)
    for _ in range(ROUNDS):
        for (first, end), target in zip(ends, targets, strict=True):
            columns = table[first:end].sum(axis=0)
            table[first:end] *= np.divide(target, columns, out=np.zeros_like(target),
                                          where=columns > 0)  # fmt: skip
        rows = table.sum(axis=1)
        table *= np.divide(pooled, rows, out=np.zeros_like(pooled), where=rows > 0)[:, None]
    return table


def _prior(pooled: Counts, ends: Sequence[Sequence[int]], targets: Sequence[Counts]) -> Counts:
    """A normal distribution of sigma per mu row, mean and spread interpolated between ranges."""
    mu, sigma = MU_BINS.centers, SIGMA_BINS.centers
    middles = [np.average(mu[a:b], weights=pooled[a:b]) for a, b in ends]
    means = [np.average(sigma, weights=target) for target in targets]
    mean = _lines(mu, middles, means)
    variances = []
    for (a, b), target, middle in zip(ends, targets, means, strict=True):
        variance = np.average((sigma - middle) ** 2, weights=target)
        # A range's spread is partly the rise of the mean across it.
        rise = np.average((mean[a:b] - middle) ** 2, weights=pooled[a:b])
        variances.append(max(variance - rise, variance / 4))
    spread = np.sqrt(np.interp(mu, middles, variances))
    # The floor lets every sigma bin of a range be reached from each of its rows.
    z = (sigma - mean[:, None]) / spread[:, None]
    prior: Counts = np.exp(-0.5 * z**2) + 1e-6
    return prior


def _lines(
    x: npt.NDArray[np.float64], knots: Sequence[float], values: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Straight lines through the knots; the first and the last go on beyond them."""
    first, last = (
        np.diff(values[:2]) / np.diff(knots[:2]),
        np.diff(values[-2:]) / np.diff(knots[-2:]),
    )
    below, above = np.minimum(x - knots[0], 0.0), np.maximum(x - knots[-1], 0.0)
    lines: npt.NDArray[np.float64] = np.interp(x, knots, values) + first * below + last * above
    return lines


def _round(counts: Counts) -> Counts:
    rounded: Counts = counts.round(DECIMALS)
    return rounded


def main(arguments: Sequence[str]) -> None:
    """Write the profile to the one argument, or over the embedded one."""
    embedded = Path(__file__).with_name("data") / "reference.json"
    build().save(arguments[0] if arguments else embedded)


if __name__ == "__main__":
    main(sys.argv[1:])
