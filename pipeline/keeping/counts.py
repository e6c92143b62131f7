"""How far a dataset is, and what became of its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.format.manifest import (
    STATUSES,
    lost_tars,
    manifest_name,
    sealed_shards,
    shard_name,
)
from gends.pipeline.keeping.commit import begun_shards, durable_units
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.keeping.foreign import foreign_files
from gends.pipeline.keeping.reopened import lost_manifests, open_shards
from gends.pipeline.reading.reader import read_manifest

COLUMNS = ("degradation", "steps", "status", "reason", "source_uri", "detail")
Kinds = dict[tuple[str, str], Counter[str]]
"""Statuses by label and steps."""
AT_ONCE = 16
"""Manifests held at a time. They are read side by side: in a bucket each costs a round trip."""
MOST_FAILURES = 20
"""Photographs that are named with what is wrong with them; the manifest has all of them."""


def count_dataset(dataset: Dataset) -> dict[str, Any]:
    """Count requests, shards, durable units, statuses by label, and reasons; JSON values.

    Labels whose pairs differ in their steps are counted by these, too, under `steps`.
    `lost` names tars and manifests that are missing though their shards were sealed: no dataset is
    finished so.
    """
    plan = dataset.plan
    sealed = sealed_shards(dataset.store, plan.num_shards)
    kinds, reasons, failures = _count_rows(dataset, sealed)
    statuses = _by_label(dataset, kinds)
    durable = _count_durable(dataset, set(sealed))
    lost = [shard_name(shard) for shard in lost_tars(dataset.store, sealed)]
    lost += [manifest_name(shard) for shard in lost_manifests(dataset.store, plan.num_shards)]
    total = plan.num_requests()
    counts: Counter[str] = sum(statuses.values(), Counter())
    return {
        "requests": total,
        "in_shards": counts.total(),
        "in_durable_units": durable,
        "missing": total - counts.total() - durable,
        "images": len(plan.catalog),
        "shards": {"planned": plan.num_shards, "sealed": len(sealed)},
        "foreign": [name for name, _ in foreign_files(dataset)],
        "lost": lost,
        "finished": not lost and not open_shards(dataset.store, plan.num_shards),
        "statuses": {status: counts[status] for status in STATUSES},
        "degradations": {name: dict(counter) for name, counter in statuses.items()},
        "steps": _by_steps(kinds),
        "reasons": dict(reasons.most_common()),
        "failures": failures,
    }


def _count_rows(
    dataset: Dataset, sealed: Sequence[int]
) -> tuple[Kinds, Counter[str], dict[str, str]]:
    """Statuses by label and steps, reasons, and what is wrong with the first that failed."""
    kinds: Kinds = {}
    reasons: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for first in range(0, len(sealed), AT_ONCE):
        shards = sealed[first : first + AT_ONCE]
        rows = read_manifest(dataset.store.url, status=None, columns=COLUMNS, shards=shards)
        for group in _grouped(rows):
            count = group["count_all"]
            kind = group["degradation"], group["steps"] or ""
            kinds.setdefault(kind, Counter())[group["status"]] += count
            if group["reason"]:
                reasons[f"{group['status']}: {group['reason']}"] += count
        if len(failures) < MOST_FAILURES:
            _name_failures(rows, failures)
    return kinds, reasons, failures


def _by_label(dataset: Dataset, kinds: Kinds) -> dict[str, Counter[str]]:
    """Statuses by label: of all that are planned, and of those of foreign manifests."""
    statuses: dict[str, Counter[str]] = {name: Counter() for name in dataset.config.labels}
    for (label, _), counter in kinds.items():
        statuses.setdefault(label, Counter()).update(counter)
    return statuses


def _by_steps(kinds: Kinds) -> dict[str, dict[str, dict[str, int]]]:
    """Statuses by label and steps, the most frequent first, where a label has several."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (label, steps), counter in sorted(
        kinds.items(), key=lambda kind: (-kind[1].total(), str(kind[0]))
    ):
        found.setdefault(label, {})[steps] = dict(counter)
    return {label: by_steps for label, by_steps in found.items() if len(by_steps) > 1}


def _grouped(rows: pa.Table) -> list[dict[str, Any]]:
    by = rows.group_by(["degradation", "steps", "status", "reason"], use_threads=False)
    groups: list[dict[str, Any]] = by.aggregate([([], "count_all")]).to_pylist()
    return groups


def _name_failures(rows: pa.Table, failures: dict[str, str]) -> None:
    """Add what is wrong with each photograph until there are MOST_FAILURES."""
    for row in rows.filter(pc.equal(rows["status"], "failed")).to_pylist():
        uri = row["source_uri"]
        failures[uri] = f"{row['reason']}: {row['detail'].removeprefix(f'{uri}: ')}"
        if len(failures) == MOST_FAILURES:
            return


def _count_durable(dataset: Dataset, sealed: set[int]) -> int:
    planned = set(range(dataset.plan.num_shards))
    return sum(
        dataset.plan.count_requests(shard, unit)
        for shard in begun_shards(dataset.store) & planned - sealed
        for unit in durable_units(dataset.store, shard, dataset.plan.num_units(shard))
    )
