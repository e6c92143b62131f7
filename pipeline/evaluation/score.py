"""Scores the pairs of a dataset: the degraded picture and the restored one against the clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from gends.models.degrader import Image
from gends.models.metrics.catalog import Metrics
from gends.models.metrics.inception import DIMENSIONS
from gends.models.metrics.metric import Metric
from gends.models.pixels import to_unit_tensor
from gends.pipeline.evaluation.pairs import FACTS
from gends.pipeline.reading.reader import ShardReader, read_pictures

Restore = Callable[[dict[str, Any], Image], Image]
"""(row of a pair, its degraded picture) to the restored one, all uint8 (H, W, 3)."""
IMAGES = ("degraded", "restored")
"""What is scored: what a restorer is given, and what it makes of it."""
FEATURES = ("clean", *IMAGES)


@dataclass(slots=True)
class Failures:
    """Pictures that a metric gave no number for; such a pair does not count for it."""

    count: int = 0
    first: str = ""
    """The first of them, and why."""

    def add(self, key: str, reason: str) -> None:
        """Count one."""
        self.first = self.first or f"{key}: {reason}"
        self.count += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One dataset's results, pair by pair."""

    table: pa.Table
    """`FACTS`, and of each metric METRIC_degraded and METRIC_restored; null is no number."""
    features: dict[str, np.memmap[Any, Any]]
    """Of `FEATURES`, (pairs, 2048) on disk, in the order of the table; empty without the FID."""
    failures: dict[str, Failures] = field(default_factory=dict)


def score_pairs(
    root: Path | str,
    rows: pa.Table,
    restore: Restore,
    metrics: Metrics,
    *,
    scratch: Path,
    device: torch.device | str = "cpu",
    on_pair: Callable[[], None] = lambda: None,
) -> Scores:
    """Score pairs one after another; one pair's pictures are in memory at a time.

    Args:
        root: the dataset.
        rows: which pairs, as `select_pairs` gives them.
        restore: makes the picture that is judged.
        metrics: what to compute.
        scratch: an existing folder for the features of the FID, 24 kB per pair.
        device: where single metrics compute.
        on_pair: called after each pair.

    Raises:
        PairError: a pair is damaged.
        ValueError: the restored picture is of another size than its pair.
    """
    columns: dict[str, list[float | None]] = {
        f"{metric.name}_{images}": [] for metric in metrics.single for images in IMAGES
    }
    failures = {metric.name: Failures() for metric in metrics.single}
    features = _feature_files(scratch, len(rows)) if metrics.features else {}
    for place, (key, pictures) in enumerate(_pictures(root, rows, restore)):
        clean = to_unit_tensor(pictures["clean"], device)
        for images in IMAGES:
            picture = to_unit_tensor(pictures[images], device)
            for metric in metrics.single:
                value = _score(metric, picture, clean, key, failures[metric.name])
                columns[f"{metric.name}_{images}"].append(value)
        for images, stored in features.items():
            assert metrics.features is not None
            stored[place] = metrics.features(pictures[images])
        on_pair()
    table = rows.select(FACTS)
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, pa.float64()))
    failures = {name: found for name, found in failures.items() if found.count}
    return Scores(table=table, features=features, failures=failures)


def _pictures(
    root: Path | str, rows: pa.Table, restore: Restore
) -> Iterator[tuple[str, dict[str, Image]]]:
    reader = ShardReader(root)
    for index in range(len(rows)):
        row: dict[str, Any] = rows.slice(index, 1).to_pylist()[0]
        clean, degraded = read_pictures(reader, row).values()
        restored = restore(row, degraded)
        if restored.shape != clean.shape:
            raise ValueError(
                f"{row['key']}: the restored picture has shape {restored.shape}, its pair "
                f"{clean.shape}"
            )
        yield row["key"], {"clean": clean, "degraded": degraded, "restored": restored}


def _score(
    metric: Metric, picture: torch.Tensor, clean: torch.Tensor, key: str, failures: Failures
) -> float | None:
    try:
        value = metric.score(picture, clean)
    # What networks say of pictures that are too small for them.
    except (ValueError, RuntimeError, AssertionError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        failures.add(key, str(error).strip().partition("\n")[0])
        return None
    if not np.isfinite(value):
        failures.add(key, f"{value}")
        return None
    return value


def _feature_files(scratch: Path, count: int) -> dict[str, np.memmap[Any, Any]]:

    return {
        images: np.memmap(
            scratch / f"{images}.features", dtype=np.float32, mode="w+", shape=(count, DIMENSIONS)
        )
        for images in FEATURES
    }
