"""`gends-build verify`: check a dataset against its own records."""

from __future__ import annotations

import sys

import click

from gends.jobs.console.alive import alive
from gends.jobs.console.streams import print_result
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.foreign import foreign_files
from gends.pipeline.keeping.replay import why_not_replayed
from gends.pipeline.keeping.verify import verify


@click.command(epilog="\b\nExample:\n  gends-build verify dataset/ --deep")
@click.argument("root")
@click.option(
    "--deep",
    is_flag=True,
    help="Also decode every pair, measure its severity and carry out its recipe again.",
)
def command(root: str, deep: bool) -> None:
    """Check the dataset ROOT: checksums, byte ranges, members, rows against the plan.

    Exits 1 when something is not as recorded, and names the file and what is wrong. Shards that a
    build has not made yet are counted; they are no problem.
    """
    print_result()
    dataset = open_dataset(root)
    foreign = list(foreign_files(dataset))
    for name, what in foreign:
        click.echo(f"{name}: {what}")
    checked, wrong = 0, len(foreign)
    planned = dataset.plan.num_shards
    with alive(lambda: f"{checked} of {planned} planned shards checked"):
        for _, problems in verify(dataset, deep=deep):
            checked += 1
            wrong += len(problems)
            for problem in problems:
                click.echo(f"{problem.file}: {problem.what}")
    click.echo(f"{checked} of {planned} planned shards checked, {wrong or 'no'} problems")
    if deep and (reason := why_not_replayed(dataset)):
        click.echo(f"recipes were not carried out again: {reason}")
    if checked < planned:
        click.echo(f"{planned - checked} not sealed yet: gends-build run --out {root} makes them")
    if wrong:
        sys.exit(1)
