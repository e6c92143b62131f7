"""`gends-build retry`: make the failed requests of a dataset again."""

from __future__ import annotations

import click

from gends.jobs.building.drive import ClusterOptions, drive
from gends.jobs.building.inputs import inputs_of
from gends.jobs.building.progress import Progress
from gends.jobs.commands.run import conclude
from gends.jobs.options.cluster import cluster_options
from gends.pipeline.format.manifest import sealed_rows, sealed_shards
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.lease import Lease
from gends.pipeline.keeping.reopened import open_shards
from gends.pipeline.keeping.retry import failed_reasons, failed_shards, reopen


@click.command(
    epilog="""\b
Examples:
  gends-build retry dataset/
  gends-build retry dataset/ --reason unreadable --reason engine_died
"""
)
@click.argument("root")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="CODE",
    help="Only what failed for this reason, as status names it; may be repeated.",
)
@cluster_options
@click.option("--json", "as_json", is_flag=True, help="Progress and summary as JSON lines.")
def command(root: str, reasons: tuple[str, ...], cluster: ClusterOptions, as_json: bool) -> None:
    """Make again what failed in the dataset ROOT, once its cause is mended.

    Accepted and rejected pairs stay as they are. Photographs that were ruled out before anything
    was made (duplicate, bad_source) are not tried again: they need a new dataset. Readers do not
    see a shard with failed pairs until it is whole again. When this command is stopped or killed,
    `retry`, `repair` or `run` goes on with it.
    """
    dataset = open_dataset(root)
    wanted = set(reasons)
    sealed = sealed_shards(dataset.store, dataset.plan.num_shards)
    failed = failed_shards(dataset, sealed, wanted)
    what = f" for {', '.join(sorted(wanted))}" if wanted else ""
    unsealed = open_shards(dataset.store, dataset.plan.num_shards)
    nothing = f"{root}: nothing failed{what} in its sealed shards"
    others = failed_reasons(dataset, sealed) if wanted and not failed else []
    if others:
        nothing += f" (what failed there, failed for {', '.join(others)})"
    if not failed and not unsealed:
        click.echo(nothing)
        return
    for shard in failed:  # before any of them is opened
        sealed_rows(dataset.store, shard)
    if failed:
        text = f"{root}: {sum(failed.values())} requests failed{what}, making them again"
    else:
        text = f"{nothing}; going on with {len(unsealed)} that are not sealed"
    click.echo(text, err=True)
    progress = Progress("json" if as_json else "auto")

    def prepare(lease: Lease) -> None:
        for shard in failed:
            reopen(dataset, shard, wanted, lambda: lease.check(dataset.store))

    tally = drive(dataset.store, inputs_of(dataset), cluster, progress, prepare)
    conclude(root, tally, as_json=as_json)
