"""`gends-build run`: make a dataset, or go on making it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from gends.jobs.building.drive import ClusterOptions, drive
from gends.jobs.building.engines import check_model
from gends.jobs.building.inputs import Inputs, gather, recall
from gends.jobs.building.progress import Progress
from gends.jobs.building.tally import Tally
from gends.jobs.commands.status import accepted_lines, lost_lines, reason_lines
from gends.jobs.console.alive import alive
from gends.jobs.console.duration import duration
from gends.jobs.options.cluster import cluster_options
from gends.jobs.options.config import ConfigCommand, config_options, nested
from gends.jobs.options.paths import new_or_old_folder
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.format.manifest import STATUSES, shard_name
from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import check_identity, open_dataset
from gends.pipeline.keeping.parts import mend_parts
from gends.pipeline.keeping.reopened import open_shards
from gends.pipeline.making.judge import Judge
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.storage.opening import open_store


@click.command(
    cls=ConfigCommand,
    epilog="""\b
Examples:
  gends-build run --clean photos/ --out dataset/
  gends-build run --clean photos/ --out dataset/ --degradations rain,snow --replicas 4 --seed 7
  gends-build run settings.yaml --out dataset/ --workers 8
  gends-build run --out dataset/        # go on with what is there, under its own settings
""",
)
@click.argument(
    "config", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--out",
    required=True,
    metavar="ROOT",
    callback=new_or_old_folder,
    help="Folder of the dataset, or a URL: s3://BUCKET/PREFIX, gs://, az://.",
)
@cluster_options
@click.option(
    "--json", "as_json", is_flag=True, help="Progress and summary as JSON lines on standard output."
)
@config_options
def command(
    config: Path | None,
    out: str,
    cluster: ClusterOptions,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make the dataset --out from the photographs --clean, or go on making it.

    Settings come from the YAML file CONFIG, and flags override it. A build that was stopped, killed
    or crashed goes on where it was when the same command is given again, and a finished one says
    so. A dataset keeps the settings that it was begun with: others are refused.
    """
    progress = Progress("json" if as_json else "auto")
    tally = build(config, nested(flags), out, cluster=cluster, progress=progress)
    conclude(out, tally, as_json=as_json)


def build(
    path: Path | None,
    settings: dict[str, Any],
    out: str,
    *,
    cluster: ClusterOptions,
    progress: Progress,
) -> Tally:
    """Found or resume a root and build it to its end.

    Raises:
        ValueError: settings, photographs or root that cannot be used; nothing was written.
        BuildError: the build had to stop; the same call resumes.
    """
    store = open_store(out).with_timeout(cluster.store_timeout)
    with tempfile.TemporaryDirectory(prefix="gends-") as scratch:
        recalled = recall(store) if not settings and path is None else None
        if recalled:
            inputs = recalled
        else:
            with alive("reading photographs"):
                inputs = gather(load_config(path, settings), Path(scratch), store)
            progress.say_passed_over(inputs.passed_over)
        if store.exists(IDENTITY_NAME):
            finished = not open_shards(store, inputs.plan.num_shards)
            check_identity(
                store, inputs.identity(None), catalog=inputs.catalog, versions=not finished
            )
            if not recalled:
                mend_parts(store, inputs.catalog, inputs.profile)
            if finished:
                total = inputs.plan.num_requests()
                return Tally(total=total, resumed=total)
        _check(inputs, out)
        return drive(store, inputs, cluster, progress)


def _check(inputs: Inputs, out: str) -> None:
    """Find what can be wrong before anything is written or started."""
    clean = inputs.config.clean
    inside = clean and Path(clean).is_dir() and "://" not in out
    if inside and Path(out).resolve().is_relative_to(Path(clean).resolve()):
        raise ValueError(
            f"--out {out} lies inside --clean {clean}, where its shards would be taken for "
            "photographs; name a folder beside it"
        )
    Judge(inputs.config.filter)
    check_model(inputs.config)


def conclude(out: str, tally: Tally, *, as_json: bool) -> None:
    """Say what a dataset holds and what this run had to do for it.

    Exits with 1 if tars are lost, shards that were opened again came out with other bytes, or no
    pair was accepted.
    """
    facts = count_dataset(open_dataset(out))
    if as_json:
        made = {"made_now": tally.done, "redrawn_now": tally.redrawn}
        remade = {"remade": {shard_name(shard): what for shard, what in tally.remade.items()}}
        read = {"rewritten": sorted(tally.rewritten)}
        said = {"event": "finished", "root": str(out)} | facts | made | remade | read
        click.echo(json.dumps(said))
    else:
        click.echo("\n".join(_summary(out, facts, tally)))
    if facts["lost"] or "other" in tally.remade.values() or not facts["statuses"]["accepted"]:
        sys.exit(1)


def _summary(out: str, facts: dict[str, Any], tally: Tally) -> list[str]:
    sealed = tally.sealed - tally.sealed_before
    if tally.done or sealed:
        first = (
            f"finished in {duration(tally.seconds)}, {tally.done} requests made and {sealed} "
            f"shard{'s' * (sealed != 1)} sealed now"
        )
    elif facts["lost"]:
        first = "is damaged"
    else:
        first = "is finished, nothing to do"
    if not facts["statuses"]["accepted"]:
        first += "; no pair was accepted"
        if not facts["requests"]:
            first += ", as none was asked for: every photograph shows the degradations asked for"
    counts = ", ".join(f"{facts['statuses'][name]} {name}" for name in STATUSES)
    lines = [f"{out}: {first}", f"  {facts['requests']} requests: {counts}"]
    return [
        *lines,
        *accepted_lines(facts),
        *reason_lines(facts),
        *_rewritten_lines(tally),
        *lost_lines(facts),
    ]


def _rewritten_lines(tally: Tally) -> list[str]:
    count = len(tally.rewritten)
    if not count:
        return []
    return [
        f"  {count} photograph{'s' * (count != 1)} written to since the list was made (as "
        f"{min(tally.rewritten)}): if replaced, the pairs are of what was read now"
    ]
