"""`gends-build repair`: make the damaged shards of a dataset again."""

from __future__ import annotations

import sys
from functools import partial

import click

from gends.jobs.building.drive import ClusterOptions, drive
from gends.jobs.building.inputs import inputs_of
from gends.jobs.building.progress import Progress
from gends.jobs.building.tally import Tally
from gends.jobs.console.alive import alive
from gends.jobs.options.cluster import cluster_options
from gends.pipeline.format.manifest import manifest_name, read_facts, sealed_shards
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.foreign import foreign_files
from gends.pipeline.keeping.lease import Lease
from gends.pipeline.keeping.reopened import open_shards, reopen_empty
from gends.pipeline.keeping.verify import verify, verify_shard
from gends.pipeline.storage.store import StorageError


@click.command(
    epilog="\b\nExamples:\n  gends-build repair dataset/\n  gends-build repair dataset/ --deep"
)
@click.argument("root")
@click.option("--deep", is_flag=True, help="Look for damage as `verify --deep` does.")
@cluster_options
def command(root: str, deep: bool, cluster: ClusterOptions) -> None:
    """Verify the dataset ROOT and make every damaged shard again, to the same bytes.

    Readers do not see a damaged shard until it is whole again. When this command is stopped or
    killed, `repair`, `retry` or `run` goes on with it. Files that no build of this dataset made are
    named and left alone. Exits 1 when something is still wrong at the end, or when a shard now has
    other bytes than its manifest had recorded.
    """
    dataset = open_dataset(root)
    store, num_shards = dataset.store, dataset.plan.num_shards
    foreign, found = _print_problems(dataset, deep)
    # A manifest that is at fault itself may be that of another shard.
    damaged = {
        shard: None if manifest_name(shard) in found[shard] else _recorded(dataset, shard)
        for shard in found.keys() & set(sealed_shards(store, num_shards))
    }
    unsealed = open_shards(store, num_shards)
    if not damaged and not unsealed:
        click.echo(f"{root}: no damaged shard")
        sys.exit(1 if foreign else 0)
    if not damaged:
        click.echo(f"{root}: no damaged shard; going on with {len(unsealed)} that are not sealed")

    def prepare(lease: Lease) -> None:
        check = partial(lease.check, store)
        for shard, checksum in damaged.items():
            # Looked at again: until the lease was held, a `retry` may have made it anew.
            if verify_shard(dataset, shard, deep=deep):
                reopen_empty(store, shard, checksum, check)

    tally = drive(store, inputs_of(dataset), cluster, Progress("auto"), prepare)
    sys.exit(_report(open_dataset(root), tally, deep))


def _print_problems(dataset: Dataset, deep: bool) -> tuple[int, dict[int, set[str]]]:
    """Verify and name what is wrong: how many files are foreign, which of each shard at fault."""
    foreign, found = list(foreign_files(dataset)), dict[int, set[str]]()
    for name, what in foreign:
        click.echo(f"{name}: {what}")
    with alive("checking the shards"):
        for shard, problems in verify(dataset, deep=deep):
            for problem in problems:
                click.echo(f"{problem.file}: {problem.what}")
                found.setdefault(shard, set()).add(problem.file)
    return len(foreign), found


def _recorded(dataset: Dataset, shard: int) -> str | None:
    """Checksum that the manifest has of its tar, where it can still be read."""
    try:
        return read_facts(dataset.store, shard).get("shard_blake3")
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def _report(dataset: Dataset, tally: Tally, deep: bool) -> int:
    foreign, found = _print_problems(dataset, deep)
    unlike = sum(what == "other" for what in tally.remade.values())
    unsealed = len(open_shards(dataset.store, dataset.plan.num_shards))
    wrong = foreign + len(found) + unlike + unsealed
    shards = f"{len(tally.remade)} shard{'s' * (len(tally.remade) != 1)}"
    click.echo(f"{shards} repaired, {wrong or 'no'} problems left")
    return 1 if wrong else 0
