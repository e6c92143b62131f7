"""`gends-build plan`: what a build would make, how large, how long. Writes nothing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gends.jobs.building.engines import check_model, make_engines
from gends.jobs.building.inputs import Inputs, gather
from gends.jobs.cluster.cpus import available_cpus
from gends.jobs.console.alive import alive
from gends.jobs.console.duration import duration
from gends.jobs.console.step_lines import step_lines
from gends.jobs.console.streams import print_result
from gends.jobs.options.config import ConfigCommand, config_options, nested
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.row import BYTES
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.planning.step_counts import count_steps
from gends.pipeline.types import CleanImage, Failure, Picture, Request, View, WorkUnit

TRIAL_VIEWS = 3
MOST_FAILURES = 10
"""Photographs that are named with what is wrong with them."""


@click.command(
    cls=ConfigCommand,
    epilog="\b\nExample:\n  gends-build plan --clean photos/ --replicas 2 --workers 8",
)
@click.argument(
    "config", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Engines that the estimated time is for. [default: one per --threads CPUs]",
)
@click.option(
    "--trial/--no-trial",
    default=True,
    help="Make a few pairs to measure size and time. [default: on]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@config_options
def command(
    config: Path | None, workers: int | None, trial: bool, as_json: bool, **flags: Any
) -> None:
    """Count what `run` with the same settings would make. Writes nothing.

    Time and size are measured on this machine by making the first few pairs in memory. Exits with
    2 where no photograph can be used.
    """
    print_result()
    with tempfile.TemporaryDirectory(prefix="gends-") as scratch:
        with alive("reading photographs"):
            inputs = gather(load_config(config, nested(flags)), Path(scratch))
            judge = Judge(inputs.config.filter)
            check_model(inputs.config)
            facts = count(inputs)
        if trial:
            workers = workers or max(1, available_cpus() // inputs.config.generator.threads)
            with alive("making a few pairs, to measure size and time"):
                facts |= measure(inputs, judge, facts["requests"], workers)
    lines = filter(None, (_text(facts), inputs.passed_over.text()))
    click.echo(json.dumps(facts) if as_json else "\n".join(lines))
    if "trial" in facts or facts["unusable"] == facts["images"]:
        sys.exit(2)


def count(inputs: Inputs) -> dict[str, Any]:
    """Photographs, those that will fail, requests, shards; streams over the catalog."""
    plan = inputs.plan
    images: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for number, clean in enumerate(plan.catalog.rows(0, len(plan.catalog))):
        images["duplicates"] += clean.duplicate_of is not None
        images["unusable"] += clean.problem is not None or _is_gone(clean, inputs.base)
        requests += plan.labels(number, clean)
    steps = count_steps(plan)
    return {
        "images": len(plan.catalog),
        "duplicates": images["duplicates"],
        "unusable": images["unusable"],
        "requests": requests.total(),
        "degradations": dict(requests),
        "steps": steps.counts,
        "steps_sampled": steps.is_sample,
        "shards": plan.num_shards,
        "images_per_shard": plan.images_per_shard,
        "images_per_unit": plan.images_per_unit,
        "passed_over": inputs.passed_over.facts(),
    }


def _is_gone(clean: CleanImage, base: Path) -> bool:
    """Whether a list names a file that is not there."""
    return clean.offset is None and not os.path.isfile(base / clean.uri)


def measure(inputs: Inputs, judge: Judge, requests: int, workers: int) -> dict[str, Any]:
    """Make the first usable views' pairs once and scale up; sizes are those of accepted pairs."""
    from gends.pipeline.making.unit import make_unit  # noqa: PLC0415

    views, loaded, failures = _trial(inputs)
    if not views:
        return {
            "trial": f"none of the first {len(failures)} photographs can be used",
            "trial_failures": [f"{one.code}: {one.detail}" for one in failures[:MOST_FAILURES]],
        }
    engines = make_engines(inputs.config)
    unit = WorkUnit(shard=0, index=0, views=tuple(views))
    start = time.perf_counter()
    rows = make_unit(unit, loaded, engines, judge, inputs.config.model_copy(update={"redraws": 0}))
    seconds = (time.perf_counter() - start) / len(rows)
    sizes = [sum(len(row[name] or b"") for name in BYTES) for row in rows if row["gt_bytes"]]
    size = sum(sizes) / len(sizes) if sizes else None
    return {
        "trial_pairs": len(rows),
        "trial_reasons": dict(Counter(row["reason"] for row in rows if row["reason"])),
        "seconds_per_pair": seconds,
        "bytes_per_pair": size,
        "workers": workers,
        "estimated_seconds": seconds * requests / workers,
        "estimated_bytes": None if size is None else size * requests,
    }


def _trial(inputs: Inputs) -> tuple[list[View], list[Picture], list[Failure]]:
    """Views of the first photographs that can be used, loaded; and what is wrong with others."""
    plan, views, loaded, failures = inputs.plan, list[View](), list[Picture](), list[Failure]()
    near = Neighbours(inputs.catalog.there, inputs.base)
    for number, clean in enumerate(plan.catalog.rows(0, 100)):
        for view in plan.views(number, clean):
            (picture,) = load_views([view], inputs.base, inputs.config, near)
            if isinstance(picture, Picture):
                views.append(replace(view, requests=_one_of_each(view)))
                loaded.append(picture)
            else:
                failures.append(picture)
            break
        if len(views) == TRIAL_VIEWS:
            break
    return views, loaded, failures


def _one_of_each(view: View) -> tuple[Request, ...]:
    """The first request of each degradation: replicas cost and weigh the same."""
    first: dict[str, Request] = {}
    for request in view.requests:
        first.setdefault(request.degradation, request)
    return tuple(first.values())


def _text(facts: dict[str, Any]) -> str:
    lines = [
        f"{facts['images']} photographs ({facts['duplicates']} duplicates, "
        f"{facts['unusable']} unusable), "
        f"{facts['requests']} requested pairs in "
        f"{facts['shards']} shard{'s' * (facts['shards'] != 1)}",
        *_label_lines(facts),
        f"{facts['images_per_shard']} photographs per shard, {facts['images_per_unit']} per unit",
    ]
    if "estimated_seconds" in facts:
        lines.append(
            f"{_time(facts['estimated_seconds'])} with {facts['workers']} workers of this "
            f"machine's speed ({facts['seconds_per_pair']:.3f} s per pair and worker), "
            f"{_size(facts)}; the start of Ray and the engine, and pairs drawn again, come on top"
        )
    elif "trial" in facts:
        lines.append(f"no estimate: {facts['trial']}")
        lines += [f"  {failure}" for failure in facts["trial_failures"]]
    return "\n".join(lines)


def _label_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Pairs by label, and below the labels that have several, by steps."""
    for name, count in facts["degradations"].items():
        yield f"  {count:9d}  {name}"
        kinds = facts["steps"].get(name, {})
        yield from (f"  {line}" for line in step_lines(kinds, is_sample=facts["steps_sampled"]))
    if facts["steps_sampled"]:
        yield "  (shares of steps are those of a sample of the photographs)"


def _time(seconds: float) -> str:
    return f"about {duration(seconds)} hours" if seconds >= 1 else "less than a second"


def _size(facts: dict[str, Any]) -> str:
    if facts["bytes_per_pair"] is None:
        reasons = ", ".join(f"{reason} {n}" for reason, n in facts["trial_reasons"].items())
        return f"no estimate of the size as all trial pairs were rejected ({reasons})"
    each = facts["bytes_per_pair"] / 1e3
    return f"{facts['estimated_bytes'] / 1e9:.2f} GB ({each:.0f} kB per pair)"
