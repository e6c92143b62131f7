"""`gends-build status`: how far a dataset is, and what became of its requests."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from gends.jobs.console.streams import print_result
from gends.pipeline.format.manifest import (
    STATUSES,
    lost_tars,
    manifest_name,
    sealed_shards,
    shard_name,
)
from gends.pipeline.keeping.commit import begun_shards, durable_units
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.foreign import foreign_files
from gends.pipeline.keeping.reopened import lost_manifests, open_shards
from gends.pipeline.reading.reader import read_manifest

COLUMNS = ("degradation", "status", "reason", "source_uri", "detail")
AT_ONCE = 16
"""Manifests held at a time. They are read side by side: in a bucket each costs a round trip."""
MOST_FAILURES = 20
"""Photographs that are named with what is wrong with them; the manifest has all of them."""


@click.command(epilog="\b\nExample:\n  gends-build status dataset/")
@click.argument("root")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def command(root: str, as_json: bool) -> None:
    """Say how far the dataset ROOT is. Reads manifests; safe while a build is running.

    Exits 1 when tars or manifests of sealed shards are missing.
    """
    print_result()
    facts = collect(open_dataset(root))
    click.echo(json.dumps(facts)) if as_json else _print(root, facts)
    if facts["lost"]:
        sys.exit(1)


def collect(dataset: Dataset) -> dict[str, Any]:
    """Counts of a dataset: requests, shards, durable units, statuses by degradation, reasons.

    `lost` names tars and manifests that are missing though their shards were sealed: no dataset is
    finished so.
    """
    plan = dataset.plan
    sealed = sealed_shards(dataset.store, plan.num_shards)
    statuses: dict[str, Counter[str]] = {name: Counter() for name in dataset.config.degradations}
    reasons: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for first in range(0, len(sealed), AT_ONCE):
        shards = sealed[first : first + AT_ONCE]
        rows = read_manifest(dataset.store.url, status=None, columns=COLUMNS, shards=shards)
        for group in _grouped(rows):
            count = group["count_all"]
            # Those of a foreign manifest may be none of ours: they are shown too.
            statuses.setdefault(group["degradation"], Counter())[group["status"]] += count
            if group["reason"]:
                reasons[f"{group['status']}: {group['reason']}"] += count
        if len(failures) < MOST_FAILURES:
            _name_failures(rows, failures)
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
        "reasons": dict(reasons.most_common()),
        "failures": failures,
    }


def _grouped(rows: pa.Table) -> list[dict[str, Any]]:
    by = rows.group_by(["degradation", "status", "reason"], use_threads=False)
    groups: list[dict[str, Any]] = by.aggregate([([], "count_all")]).to_pylist()
    return groups


def _name_failures(rows: pa.Table, failures: dict[str, str]) -> None:
    """Add what is wrong with each photograph until there are MOST_FAILURES."""
    for row in rows.filter(pc.equal(rows["status"], "failed")).to_pylist():
        uri = row["source_uri"]
        failures[uri] = f"{row['reason']}: {row['detail'].removeprefix(f'{uri}: ')}"
        if len(failures) == MOST_FAILURES:
            return


def reason_lines(facts: dict[str, Any]) -> list[str]:
    """Why requests were rejected or failed, and the first photographs that failed."""
    lines = [f"  {count:6d} × {reason}" for reason, count in facts["reasons"].items()]
    return lines + [f"  {uri}: {what}" for uri, what in facts["failures"].items()]


def lost_lines(facts: dict[str, Any]) -> list[str]:
    """Which files of sealed shards are missing."""
    return [f"  {name}: missing; gends-build repair makes it again" for name in facts["lost"]]


def _count_durable(dataset: Dataset, sealed: set[int]) -> int:
    planned = set(range(dataset.plan.num_shards))
    return sum(
        dataset.plan.count_requests(shard, unit)
        for shard in begun_shards(dataset.store) & planned - sealed
        for unit in durable_units(dataset.store, shard, dataset.plan.num_units(shard))
    )


def _print(root: str, facts: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    shards = facts["shards"]
    state = "finished" if facts["finished"] else "not finished; gends-build run resumes it"
    if facts["lost"]:
        state = "damaged"
    console.print(f"{root}: {state}", markup=False)
    console.print(
        f"{shards['sealed']} of {shards['planned']} shards sealed; of {facts['requests']} requests "
        f"from {facts['images']} photographs {facts['in_shards']} are in shards, "
        f"{facts['in_durable_units']} in durable units, {facts['missing']} missing"
    )
    table = Table("degradation", *STATUSES, box=None, pad_edge=False)
    for name, counts in facts["degradations"].items():
        table.add_row(name, *(str(counts.get(status, 0)) for status in STATUSES))
    console.print(table)
    for line in [*reason_lines(facts), *lost_lines(facts)]:
        console.print(line, markup=False)
    for name in facts["foreign"]:
        console.print(f"  {name}: not of this dataset, and not counted", markup=False)
