"""`gends-build run`: make a dataset, or go on making it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gends.histograms.profile import Profile, load_profile
from gends.jobs.build import Build, Tally
from gends.jobs.cluster import connect
from gends.jobs.options import config_options, nested
from gends.jobs.progress import Progress, duration
from gends.jobs.stages import Context
from gends.pipeline.catalog import Catalog, write_catalog
from gends.pipeline.config import BuildConfig, load_config
from gends.pipeline.dataset import (
    CATALOG_NAME,
    IDENTITY_NAME,
    PROFILE_NAME,
    check_identity,
    config_digest,
    make_identity,
    open_dataset,
    write_identity,
)
from gends.pipeline.judge import Judge
from gends.pipeline.manifest import sealed_shards
from gends.pipeline.plan import Plan
from gends.pipeline.sources import base_folder, read_source
from gends.pipeline.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan is made of, before any engine is loaded."""

    config: BuildConfig
    base: Path
    catalog: Catalog
    profile: Profile

    @property
    def plan(self) -> Plan:
        """The plan."""
        return Plan(self.catalog, self.config, self.profile)


@click.command(
    epilog="\b\nExample:\n  gends-build run --clean photos/ --out dataset/ --per-image 3 --seed 7"
)
@click.argument(
    "config", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the dataset.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Engines at work [default: one per GPU, or per CPU].",
)
@click.option(
    "--address", help="Ray cluster to join, as in ray://head:10001 or auto [default: this machine]."
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
    """Create the dataset --out from the photographs --clean, or resume it.

    Settings come from the YAML file CONFIG, and flags override it. A build that was stopped, killed
    or crashed goes on where it was when the same command is given again; a finished one says so.
    """
    settings = nested(flags)
    progress = Progress("json" if as_json else "auto")
    tally = build(config, settings, out, workers=workers, address=address, progress=progress)
    click.echo(summary(out, tally, as_json))


def build(
    path: Path | None,
    settings: dict[str, Any],
    out: Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress,
) -> Tally:
    """Found or resume a root and build it to its end."""
    store = Store(out)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="gends-"))
        inputs = resume_inputs(out) if not settings and path is None else None
        inputs = inputs or gather(load_config(path, settings), Path(scratch))
        plan = inputs.plan
        Judge(inputs.config.filter)  # a missing metric is better known before Ray starts
        stack.enter_context(store.lock())
        founded = store.exists(IDENTITY_NAME)
        if founded and len(sealed_shards(store)) == plan.num_shards:
            check_identity(store, _identity(inputs, None))
            return Tally(total=plan.num_requests(), resumed=plan.num_requests())
        with connect(address, workers, inputs.config.generator.threads) as resources:
            context = Context(
                root=out.absolute(),
                base=inputs.base,
                config=inputs.config,
                config_digest=config_digest(inputs.config),
            )
            job = Build(store, plan, context, resources, on_progress=progress)
            identity = _identity(inputs, job.fingerprint())
            if founded:
                check_identity(store, identity)
            else:
                _found(store, inputs, identity)
            _sweep(store)
            with progress:
                tally = job.run()
                progress(tally, final=True)
    return tally


def gather(config: BuildConfig, scratch: Path) -> Inputs:
    """Read the source into a catalog in `scratch`, and the severity profile.

    Raises:
        ValueError: no source was named, or it or the profile cannot be read.
    """
    if not config.clean:
        raise ValueError(
            "no photographs named: give --clean FOLDER, or clean: in the configuration"
        )
    source = Path(config.clean)
    path = scratch / CATALOG_NAME
    base = base_folder(source).absolute()
    write_catalog(
        read_source(source),
        path,
        base=base,
        default_dataset=config.clean_dataset or source.absolute().stem,
        default_degradation=config.clean_degradation,
        dedupe=config.dedupe,
        limit=config.limit,
    )
    profile = load_profile(config.profile)
    return Inputs(config=config, base=base, catalog=Catalog(path), profile=profile)


def resume_inputs(out: Path) -> Inputs | None:
    """The inputs that a root was founded with, or None where there is no root."""
    if not Store(out).exists(IDENTITY_NAME):
        return None
    dataset = open_dataset(out)
    return Inputs(
        config=dataset.config,
        base=dataset.base,
        catalog=dataset.plan.catalog,
        profile=dataset.plan.profile,
    )


def _identity(inputs: Inputs, engine: dict[str, str] | None) -> dict[str, Any]:
    return make_identity(inputs.config, inputs.catalog, inputs.profile, engine, inputs.base)


def _found(store: Store, inputs: Inputs, identity: dict[str, Any]) -> None:
    with store.publish(CATALOG_NAME) as file:
        file.write(inputs.catalog.path.read_bytes())
    inputs.profile.save(store.path(PROFILE_NAME))
    write_identity(store, identity)


def _sweep(store: Store) -> None:
    for folder in ("shards", "manifest", *(f"work/{name}" for name in store.names("work"))):
        store.sweep(folder)


def summary(out: Path, tally: Tally, as_json: bool) -> str:
    statuses = {name: tally.statuses[name] for name in ("accepted", "rejected", "failed")}
    if as_json:
        facts = {"event": "finished", "root": str(out), "total": tally.total, **statuses}
        reasons = dict(sorted(tally.reasons.items()))
        return json.dumps(facts | {"resumed": tally.resumed, "reasons": reasons})
    if tally.resumed == tally.total:
        return f"{out} is finished: {tally.total} requests; see gends-build status {out}"
    lines = [
        f"{out}: finished in {duration(tally.seconds)}, {tally.done} requests made now, "
        f"{tally.resumed} before",
        "  "
        + ", ".join(f"{count} {name}" for name, count in statuses.items())
        + f", {tally.redrawn} redrawn",
    ]
    lines += [f"  {count:6d} × {reason}" for reason, count in tally.reasons.most_common()]
    return "\n".join(lines)
