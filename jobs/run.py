"""`gends-build run`: make a dataset, or go on making it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import click

from gends.jobs.engine import check_model
from gends.jobs.inputs import Inputs, gather, recall
from gends.jobs.options import ConfigCommand, config_options, nested
from gends.jobs.progress import Progress, duration
from gends.jobs.status import collect, reason_lines
from gends.jobs.tally import Tally
from gends.pipeline.config import load_config
from gends.pipeline.dataset import IDENTITY_NAME, check_identity, config_digest, open_dataset
from gends.pipeline.judge import Judge
from gends.pipeline.manifest import STATUSES, sealed_shards
from gends.pipeline.store import Store


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
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the dataset.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Engines at work. [default: one per GPU, or per --threads CPUs]",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Ray cluster to join, or auto for the one of this machine. [default: a Ray of its own]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Progress and summary as JSON lines on standard output."
)
@config_options
def command(
    config: Path | None,
    out: Path,
    workers: int | None,
    address: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make the dataset --out from the photographs --clean, or go on making it.

    Settings come from the YAML file CONFIG, and flags override it. A build that was stopped, killed
    or crashed goes on where it was when the same command is given again, and a finished one says
    so. A dataset keeps the settings that it was begun with: others are refused.
    """
    progress = Progress("json" if as_json else "auto")
    tally = build(config, nested(flags), out, workers=workers, address=address, progress=progress)
    click.echo(summary(out, tally, as_json=as_json))


def build(
    path: Path | None,
    settings: dict[str, Any],
    out: Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress,
) -> Tally:
    """Found or resume a root and build it to its end.

    Raises:
        ValueError: settings, photographs or root that cannot be used; nothing was written.
        BuildError: the build had to stop; the same call resumes.
    """
    store = Store(out)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="gends-"))
        inputs = recall(out) if not settings and path is None else None
        inputs = inputs or gather(load_config(path, settings), Path(scratch))
        _check(inputs, out)
        stack.enter_context(store.lock())
        if store.exists(IDENTITY_NAME):
            check_identity(store, inputs.identity(None))
            plan = inputs.plan
            if len(sealed_shards(store)) == plan.num_shards:
                return Tally(total=plan.num_requests(), resumed=plan.num_requests())
        return _build(store, inputs, workers, address, progress)


def _check(inputs: Inputs, out: Path) -> None:
    """Find what can be wrong before anything is written or started."""
    clean = inputs.config.clean
    if clean and Path(clean).is_dir() and out.resolve().is_relative_to(Path(clean).resolve()):
        raise ValueError(
            f"--out {out} lies inside --clean {clean}, where its shards would be taken for "
            "photographs; name a folder beside it"
        )
    Judge(inputs.config.filter)
    check_model(inputs.config)


def _build(
    store: Store, inputs: Inputs, workers: int | None, address: str | None, progress: Progress
) -> Tally:
    # Ray takes its time to import, and neither --help nor a finished dataset needs it.
    from gends.jobs.build import Build  # noqa: PLC0415
    from gends.jobs.cluster import connect  # noqa: PLC0415
    from gends.jobs.stages import Context  # noqa: PLC0415

    context = Context(
        root=store.root.absolute(),
        base=inputs.base,
        config=inputs.config,
        config_digest=config_digest(inputs.config),
    )
    progress.say("starting Ray and the engine")
    threads, on_gpu = inputs.config.generator.threads, inputs.config.engine == "gendeg"
    with connect(address, workers, threads, on_gpu=on_gpu) as resources:
        job = Build(store, inputs.plan, context, resources, on_progress=progress)
        engine = job.fingerprint()
        if store.exists(IDENTITY_NAME):
            check_identity(store, inputs.identity(engine))
        else:
            inputs.found(store, engine)
        _sweep(store)
        with progress:
            tally = job.run()
            progress(tally, final=True)
    return tally


def _sweep(store: Store) -> None:
    for folder in ("shards", "manifest", *(f"work/{name}" for name in store.names("work"))):
        store.sweep(folder)


def summary(out: Path, tally: Tally, *, as_json: bool) -> str:
    """What a finished dataset holds, and what this run had to do for it."""
    facts = collect(open_dataset(out))
    if as_json:
        made = {"made_now": tally.done, "redrawn_now": tally.redrawn}
        return json.dumps({"event": "finished", "root": str(out)} | facts | made)
    if tally.done:
        first = f"finished in {duration(tally.seconds)}, {tally.done} requests made now"
    else:
        first = "is finished, nothing to do"
    counts = ", ".join(f"{facts['statuses'][name]} {name}" for name in STATUSES)
    lines = [f"{out}: {first}", f"  {facts['requests']} requests: {counts}"]
    return "\n".join(lines + reason_lines(facts))
