"""`gends-build status`: how far a dataset is, and what became of its requests."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gends.pipeline.commit import durable_units
from gends.pipeline.dataset import Dataset, open_dataset
from gends.pipeline.manifest import STATUSES, sealed_shards
from gends.pipeline.reader import read_manifest


@click.command(epilog="\b\nExample:\n  gends-build status dataset/")
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def command(root: Path, as_json: bool) -> None:
    """Say how far the dataset ROOT is. Reads manifests; safe while a build is running."""
    facts = collect(open_dataset(root))
    click.echo(json.dumps(facts)) if as_json else _print(root, facts)


def collect(dataset: Dataset) -> dict[str, Any]:
    """Counts of a dataset: requests, shards, durable units, statuses by degradation, reasons."""
    plan, sealed = dataset.plan, sealed_shards(dataset.store)
    statuses: dict[str, Counter[str]] = {name: Counter() for name in dataset.config.degradations}
    reasons: Counter[str] = Counter()
    for shard in sealed:
        columns = ["degradation", "status", "reason"]
        rows = read_manifest(dataset.store.root, status=None, columns=columns, shards=[shard])
        for row in rows.to_pylist():
            statuses[row["degradation"]][row["status"]] += 1
            if row["reason"]:
                reasons[f"{row['status']}: {row['reason']}"] += 1
    waiting = {
        int(name): durable_units(dataset.store, int(name)) for name in _open(dataset, sealed)
    }
    durable = sum(plan.count_requests(n, i) for n, units in waiting.items() for i in units)
    total = plan.num_requests()
    done = sum(counter.total() for counter in statuses.values())
    return {
        "requests": total,
        "in_shards": done,
        "in_durable_units": durable,
        "missing": total - done - durable,
        "images": len(plan.catalog),
        "shards": {"planned": plan.num_shards, "sealed": len(sealed)},
        "finished": len(sealed) == plan.num_shards,
        "degradations": {name: dict(counter) for name, counter in statuses.items()},
        "reasons": dict(reasons.most_common()),
    }


def _open(dataset: Dataset, sealed: list[int]) -> list[str]:
    return [name for name in dataset.store.names("work") if int(name) not in set(sealed)]


def _print(root: Path, facts: dict[str, Any]) -> None:
    console = Console(highlight=False)
    shards = facts["shards"]
    state = "finished" if facts["finished"] else "not finished; gends-build run resumes it"
    console.print(f"{root}: {state}")
    console.print(
        f"{shards['sealed']} of {shards['planned']} shards sealed; {facts['in_shards']} requests in "
        f"shards, {facts['in_durable_units']} in durable units, {facts['missing']} missing, "
        f"of {facts['requests']} from {facts['images']} photographs"
    )
    table = Table("degradation", *STATUSES, box=None, pad_edge=False)
    for name, counts in facts["degradations"].items():
        table.add_row(name, *(str(counts.get(status, 0)) for status in STATUSES))
    console.print(table)
    for reason, count in facts["reasons"].items():
        console.print(f"{count:6d} × {reason}")
