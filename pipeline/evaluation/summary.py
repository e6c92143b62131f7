"""Means of groups of pairs, with confidence intervals: what tables and plots are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gends.models.metrics.frechet import frechet_distance
from gends.pipeline.evaluation.bootstrap import mean_interval
from gends.pipeline.evaluation.groups import SEVERITIES, Group, groups_of
from gends.pipeline.evaluation.score import IMAGES, Scores

SCHEMA = pa.schema(
    [
        ("data", pa.string()),
        ("degradation", pa.string()),
        ("severity_dataset", pa.string()),
        ("mu_low", pa.float64()),
        ("mu_high", pa.float64()),
        ("mu", pa.float64()),
        ("metric", pa.string()),
        ("lower_is_better", pa.bool_()),
        ("images", pa.string()),
        ("pairs", pa.int64()),
        ("photographs", pa.int64()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
"""One row per dataset, group, metric and `images`: degraded, restored, or gain (restored minus
degraded, pair by pair). `mu` is the mean over the group. Null in a group's columns: not restricted
by it; in low and high: no interval, as for the FID, which is no mean, and for groups of fewer
than `bootstrap.FEWEST` photographs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are drawn."""

    resamples: int = 2000
    seed: int = 0


def summarise(
    data: str,
    scores: Scores,
    directions: dict[str, bool],
    *,
    edges: Sequence[float] = SEVERITIES,
    bootstrap: Bootstrap | None = None,
) -> pa.Table:
    """Rows of `SCHEMA` for one dataset.

    A pair without a number for the degraded or the restored picture does not count for that
    metric, neither here nor there.

    Args:
        data: the dataset's name.
        scores: its pairs.
        directions: metric → whether lower is better; their order is the order of rows.
        edges: of severity bins.
        bootstrap: how intervals are drawn.
    """
    photographs = pc.dictionary_encode(scores.table["source_id"]).combine_chunks().indices
    codes = photographs.to_numpy().astype(np.int64)
    mu = scores.table["mu"].to_numpy()
    rows: list[dict[str, Any]] = []
    for group in groups_of(scores.table, edges):
        known = {
            "data": data,
            "degradation": group.degradation,
            "severity_dataset": group.severity_dataset,
            "mu_low": group.mu_low,
            "mu_high": group.mu_high,
            "mu": float(mu[group.members].mean()),
        }
        for metric, lower in directions.items():
            found = _frechet if metric == "fid" else _means
            for row in found(scores, metric, group, codes, bootstrap or Bootstrap()):
                rows.append({**known, "metric": metric, "lower_is_better": lower, **row})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _means(
    scores: Scores,
    metric: str,
    group: Group,
    codes: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
) -> Iterator[dict[str, Any]]:
    columns = [scores.table[f"{metric}_{images}"].take(group.members) for images in IMAGES]
    degraded, restored = (column.to_numpy(zero_copy_only=False) for column in columns)
    counted = np.isfinite(degraded) & np.isfinite(restored)
    if not counted.any():
        return
    photographs = codes[group.members][counted]
    shown = {"degraded": degraded, "restored": restored, "gain": restored - degraded}
    for images, values in shown.items():
        interval = mean_interval(
            values[counted], photographs, resamples=bootstrap.resamples, seed=bootstrap.seed
        )
        yield {
            "images": images,
            "pairs": int(counted.sum()),
            "photographs": len(np.unique(photographs)),
            "value": float(values[counted].mean()),
            "low": interval and interval.low,
            "high": interval and interval.high,
        }


def _frechet(
    scores: Scores,
    metric: str,
    group: Group,
    codes: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
) -> Iterator[dict[str, Any]]:
    """Of each set of pictures against the clean ones of the same pairs; at least two pairs."""
    if len(group.members) < 2:
        return
    sets = {images: np.asarray(scores.features[images][group.members]) for images in IMAGES}
    clean = np.asarray(scores.features["clean"][group.members])
    values = {images: frechet_distance(features, clean) for images, features in sets.items()}
    values["gain"] = values["restored"] - values["degraded"]
    facts = {
        "pairs": len(group.members),
        "photographs": len(np.unique(codes[group.members])),
        "low": None,
        "high": None,
    }
    for images, value in values.items():
        yield {"images": images, "value": value, **facts}
