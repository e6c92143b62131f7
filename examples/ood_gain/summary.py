"""Means over pairs and seeds, differences between arms, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from experiment import BASELINE, CLAIM, CONTROL
from scores import Numbers, Scores

from gends.pipeline.evaluation.bootstrap import FEWEST, Interval, percentile_interval

RESAMPLES = 4000
INPUT = "degraded input"
"""Stands where an arm does, for the pictures that nobody restored."""

SCHEMA = pa.schema(
    [
        ("test", pa.string()),
        ("restorer", pa.string()),
        ("arm", pa.string()),
        ("degradation", pa.string()),
        ("metric", pa.string()),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("by_seed", pa.list_(pa.float64())),
        ("pairs", pa.int64()),
        ("photographs", pa.int64()),
    ]
)
"""`degradation` is null for all pairs. `kind` is mean; or gain, the arm minus `existing`, pair by
pair and seed by seed; or pairing, the same of `CLAIM` minus `CONTROL`, which differ only in what
belongs together. `low` and `high` are the interval's ends, null where there is none."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pairs that are averaged."""

    degradation: str | None
    members: npt.NDArray[np.int64]


def summarise(tests: Mapping[str, Scores]) -> pa.Table:
    """Rows of `SCHEMA`; a function of the scores alone."""
    rows = [row for test, scores in tests.items() for row in _rows(test, scores)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rows(test: str, scores: Scores) -> Iterator[dict[str, Any]]:
    for group in _groups(scores):
        for metric, degraded in scores.degraded.items():
            counted = group.members[_finite(scores, metric)[group.members]]
            if not len(counted):
                continue
            photographs = scores.photographs[counted]
            for (restorer, arm, kind), values in _compared(scores, metric, degraded).items():
                known = {"test": test, "restorer": restorer, "arm": arm, "kind": kind}
                known |= {"degradation": group.degradation, "metric": metric}
                yield known | _figures(values[:, counted], photographs)


def _groups(scores: Scores) -> Iterator[Group]:
    yield Group(None, np.arange(len(scores.degradations)))
    for name in np.unique(scores.degradations):
        yield Group(str(name), np.flatnonzero(scores.degradations == name))


def _finite(scores: Scores, metric: str) -> npt.NDArray[np.bool_]:
    """Pairs that every model has a number of: means are compared over the same ones."""
    finite = np.isfinite(scores.degraded[metric])
    for found in scores.restored.values():
        finite &= np.isfinite(found[metric]).all(axis=0)
    return finite


def _compared(
    scores: Scores, metric: str, degraded: Numbers
) -> dict[tuple[str | None, str, str], Numbers]:
    """(restorer, arm, kind) → (seeds, pairs); one row where there is nothing to seed."""
    found: dict[tuple[str | None, str, str], Numbers] = {(None, INPUT, "mean"): degraded[None]}
    for (restorer, arm), values in scores.restored.items():
        found[restorer, arm, "mean"] = values[metric]
        if arm != BASELINE:
            baseline = scores.restored[restorer, BASELINE][metric]
            found[restorer, arm, "gain"] = values[metric] - baseline
        if arm == CLAIM:
            control = scores.restored[restorer, CONTROL][metric]
            found[restorer, arm, "pairing"] = values[metric] - control
    return found


def _figures(values: Numbers, photographs: npt.NDArray[np.int64]) -> dict[str, Any]:
    interval = two_way_interval(values, photographs)
    return {
        "value": float(values.mean()),
        "low": interval and interval.low,
        "high": interval and interval.high,
        "by_seed": values.mean(axis=1).tolist(),
        "pairs": values.shape[1],
        "photographs": len(np.unique(photographs)),
    }


def two_way_interval(
    values: Numbers, photographs: npt.NDArray[np.int64], *, resamples: int = RESAMPLES
) -> Interval | None:
    """Percentile bootstrap interval of the mean over seeds and pairs; equal values give equal ends.

    Each resample draws photographs, each with all of its pairs, and independently of that seeds,
    both with replacement (the pigeonhole bootstrap, Owen 2007, doi 10.1214/07-AOAS122). What few
    seeds say of their spread is too little: drawn from three, it has two thirds of their variance.

    Args:
        values: (seeds, pairs).
        photographs: which photograph each pair is of.
        resamples: how often to draw.

    Returns:
        None for fewer than `FEWEST` photographs.
    """
    _, codes = np.unique(photographs, return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    if len(counts) < FEWEST:
        return None
    sums = np.stack([np.bincount(codes, weights=row) for row in values])
    times, seeds = _draws(len(counts), len(values), resamples)
    means = ((seeds @ sums) * times).sum(axis=1) / (len(values) * (times @ counts))
    return percentile_interval(means)


@cache
def _draws(photographs: int, seeds: int, resamples: int) -> tuple[Numbers, Numbers]:
    """How often each resample has each photograph, and each seed: (resamples, number) of both."""
    rng = np.random.default_rng(0)
    times, seed_times = (
        rng.multinomial(number, np.full(number, 1 / number), size=resamples).astype(np.float64)
        for number in (photographs, seeds)
    )
    return times, seed_times


def verdict(row: Mapping[str, Any], lower_is_better: bool) -> str:
    """Whether the interval of a gain lies on one side of nothing: better, worse, or open."""
    if row["low"] is None or row["low"] <= 0 <= row["high"]:
        return "open"
    return "better" if (row["value"] < 0) == lower_is_better else "worse"


LOWER_IS_BETTER = {"psnr": False, "ssim": False, "lpips": True}
