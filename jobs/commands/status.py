"""`gends-build status`: how far a dataset is, and what became of its requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gends.jobs.console.step_lines import step_lines
from gends.jobs.console.streams import print_result
from gends.pipeline.format.manifest import STATUSES
from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import open_dataset


@click.command(epilog="\b\nExample:\n  gends-build status dataset/")
@click.argument("root")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def command(root: str, as_json: bool) -> None:
    """Print how much of the dataset ROOT is made. May be called while a build is running.

    Exits 1 when tars or manifests of sealed shards are missing.
    """
    print_result()
    facts = count_dataset(open_dataset(root))
    click.echo(json.dumps(facts)) if as_json else _print(root, facts)
    if facts["lost"]:
        sys.exit(1)


def reason_lines(facts: dict[str, Any]) -> list[str]:
    """Why requests were rejected or failed, and the first photographs that failed."""
    lines = [f"  {count:6d} × {reason}" for reason, count in facts["reasons"].items()]
    return lines + [f"  {uri}: {what}" for uri, what in facts["failures"].items()]


def accepted_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Accepted pairs by steps, of labels that have several."""
    for label, kinds in facts["steps"].items():
        counts = {steps: statuses.get("accepted", 0) for steps, statuses in kinds.items()}
        yield f"  {label}, {sum(counts.values())} accepted by their steps:"
        yield from step_lines(counts)


def lost_lines(facts: dict[str, Any]) -> list[str]:
    """Which files of sealed shards are missing."""
    return [f"  {name}: missing; gends-build repair makes it again" for name in facts["lost"]]


def _print(root: str, facts: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
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
    table = Table("label", *STATUSES, box=None, pad_edge=False)
    for name, counts in facts["degradations"].items():
        table.add_row(name, *(str(counts.get(status, 0)) for status in STATUSES))
    console.print(table)
    for line in [*accepted_lines(facts), *reason_lines(facts), *lost_lines(facts)]:
        console.print(line, markup=False)
    for name in facts["foreign"]:
        console.print(f"  {name}: not of this dataset, and not counted", markup=False)
