"""What `gends-build evaluate` found, pair by pair, of all models on the same pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from experiment import ARMS, RESTORERS, Model

METRICS = ("psnr", "ssim", "lpips")
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One test set."""

    degradations: npt.NDArray[np.str_]
    """Of each pair."""
    photographs: npt.NDArray[np.int64]
    """Which one each pair is of."""
    degraded: Mapping[str, Numbers]
    """Metric → (pairs,) of the degraded pictures as they are; NaN is no number."""
    restored: Mapping[tuple[str, str], Mapping[str, Numbers]]
    """(restorer, arm) → metric → (seeds, pairs)."""


def judged_seeds(out: Path) -> list[int]:
    """Seeds of which every restorer and arm was evaluated, in order."""
    seeds = []
    while all(_record(out, model).exists() for model in _models(len(seeds))):
        seeds.append(len(seeds))
    return seeds


def missing_metrics(out: Path, seeds: Sequence[int]) -> dict[str, str]:
    """Metrics that one of the evaluations lacks, and why."""
    missing: dict[str, str] = {}
    for model in (model for seed in seeds for model in _models(seed)):
        missing |= json.loads(_record(out, model).read_text(encoding="utf-8"))["missing"]
    return missing


def read_scores(out: Path, seeds: Sequence[int], test: str, metrics: Sequence[str]) -> Scores:
    """Read the results of all models on a test set.

    Raises:
        ValueError: they are not of the same pairs.
    """
    first = _pairs(out, Model(arm=next(iter(ARMS)), restorer=RESTORERS[0], seed=seeds[0]), test)
    keys = first["key"]
    restored = {}
    for restorer, arm in ((restorer, arm) for restorer in RESTORERS for arm in ARMS):
        models = [Model(arm=arm, restorer=restorer, seed=seed) for seed in seeds]
        tables = [_pairs(out, model, test) for model in models]
        for model, table in zip(models, tables, strict=True):
            if not table["key"].equals(keys):
                raise ValueError(
                    f"{out}: {model.name} was evaluated on other pairs of {test} than the first "
                    "model; remove evaluations/ and run again"
                )
        restored[restorer, arm] = {
            name: np.stack([_column(table, f"{name}_restored") for table in tables])
            for name in metrics
        }
    sources = pc.dictionary_encode(first["source_id"]).combine_chunks().indices
    return Scores(
        degradations=np.array(first["degradation"].to_pylist()),
        photographs=sources.to_numpy().astype(np.int64),
        degraded={name: _column(first, f"{name}_degraded") for name in metrics},
        restored=restored,
    )


def _models(seed: int) -> list[Model]:
    return [Model(arm=arm, restorer=name, seed=seed) for name in RESTORERS for arm in ARMS]


def _record(out: Path, model: Model) -> Path:
    return out / "evaluations" / model.name / "evaluation.json"


def _pairs(out: Path, model: Model, test: str) -> pa.Table:
    table = pq.read_table(out / "evaluations" / model.name / "pairs.parquet")
    return table.filter(pc.equal(table["data"], test)).combine_chunks()


def _column(table: pa.Table, name: str) -> Any:
    return table[name].to_numpy().astype(np.float64)
