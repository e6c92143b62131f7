"""Drive a build over a root: hold its lease, start Ray and the engine, make what is missing."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from gends.jobs.inputs import Inputs
from gends.jobs.options import NumberRange
from gends.jobs.progress import Progress
from gends.jobs.stop import Stop
from gends.jobs.tally import Tally
from gends.pipeline.dataset import check_identity, config_digest
from gends.pipeline.identity import IDENTITY_NAME
from gends.pipeline.lease import FOLDER as LEASE_FOLDER
from gends.pipeline.lease import Lease, forget_leases, hold
from gends.pipeline.local_store import LocalStore
from gends.pipeline.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Where a build runs and how patient it is; none of this changes a byte."""

    workers: int | None = None
    address: str | None = None
    unit_timeout: float = 1800.0
    """Seconds that a unit may take before what works on it counts as hanging."""
    grace: float = 120.0
    """Seconds that units in flight get to finish after SIGTERM."""
    store_timeout: float = 180.0
    """Seconds for which a bucket that does not answer is asked again."""


DEFAULTS = ClusterOptions()


def cluster_options(command: Command) -> Command:
    """Add the flags of `ClusterOptions`; the command gets them as `cluster`."""

    @functools.wraps(command)  # with the options that stand below this one
    def wrapped(**flags: Any) -> Any:
        chosen = {field.name: flags.pop(field.name) for field in fields(ClusterOptions)}
        return command(cluster=ClusterOptions(**chosen), **flags)

    for option in reversed(_FLAGS):
        wrapped = option(wrapped)
    return cast(Command, wrapped)


_FLAGS = [
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=1),
        help="Engines at work. [default: one per GPU, or per --threads CPUs]",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster to join, or auto for the one of this machine. "
        "[default: a Ray of its own]",
    ),
    click.option(
        "--unit-timeout",
        metavar="SECONDS",
        type=NumberRange(min=1),
        default=DEFAULTS.unit_timeout,
        show_default=True,
        help="How long one unit may take before what works on it counts as hanging.",
    ),
    click.option(
        "--grace",
        metavar="SECONDS",
        type=NumberRange(min=0),
        default=DEFAULTS.grace,
        show_default=True,
        help="How long units in flight may go on after SIGTERM.",
    ),
    click.option(
        "--store-timeout",
        metavar="SECONDS",
        type=NumberRange(min=0),
        default=DEFAULTS.store_timeout,
        show_default=True,
        help="How long a bucket that does not answer is asked again before the build stops.",
    ),
]


def drive(
    store: Store,
    inputs: Inputs,
    cluster: ClusterOptions,
    progress: Progress,
    prepare: Callable[[Lease], None] = lambda lease: None,
) -> Tally:
    """Make every unit and shard that a root lacks; found the root if it is new.

    `prepare` may take shards away before. It is called under the lease that the build then holds,
    and when nothing is left that could refuse the build.

    Raises:
        LeaseHeldError: another build is writing here.
        BuildError, StorageError: the build had to stop; the same command resumes.
    """
    stop, store = Stop(grace=cluster.grace), store.with_timeout(cluster.store_timeout)
    with (
        _leaving_no_empty_folders(store),
        hold(store, on_wait=progress.say, on_lost=stop.lose) as lease,
    ):
        return _drive(store, inputs, cluster, progress, stop, lease, prepare)


def _drive(
    store: Store,
    inputs: Inputs,
    cluster: ClusterOptions,
    progress: Progress,
    stop: Stop,
    lease: Lease,
    prepare: Callable[[Lease], None],
) -> Tally:
    # Ray takes its time to import, and neither --help nor a finished dataset needs it.
    from gends.jobs.build import Build  # noqa: PLC0415
    from gends.jobs.cluster import connect  # noqa: PLC0415
    from gends.jobs.stages import Context  # noqa: PLC0415

    _check_base(inputs.base)
    if not store.exists(IDENTITY_NAME):
        _check_empty(store)
    context = Context(
        store=store,
        base=inputs.base,
        config=inputs.config,
        config_digest=config_digest(inputs.config),
        lease=lease,
    )
    progress.say("starting Ray and the engine")
    threads, on_gpu = inputs.config.generator.threads, inputs.config.engine == "gendeg"
    with connect(cluster.address, cluster.workers, threads, on_gpu=on_gpu) as resources:
        job = Build(
            *(store, inputs.plan, context, resources),
            stop=stop,
            unit_timeout=cluster.unit_timeout,
            progress=progress,
        )
        engine = job.fingerprint()
        if store.exists(IDENTITY_NAME):
            check_identity(store, inputs.identity(engine))
        else:
            inputs.found(store, engine)
        store.sweep("")  # what killed foundings left; before, this may not have been a dataset
        with progress, stop.on_signals():
            prepare(lease)
            tally = job.run()
            progress(tally, final=True)
    return tally


@contextlib.contextmanager
def _leaving_no_empty_folders(store: Store) -> Iterator[None]:
    """Take a new root away again that was not founded."""
    if store.exists(IDENTITY_NAME):
        yield
        return
    on_disk = (store.root / LEASE_FOLDER, store.root) if isinstance(store, LocalStore) else ()
    new = [path for path in on_disk if not path.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # something is in it, or it cannot be reached
            if not store.exists(IDENTITY_NAME):
                forget_leases(store)
                for path in new:
                    path.rmdir()


def _check_base(base: Path) -> None:
    if not base.is_dir():
        raise ValueError(
            f"{base}: the photographs' folder is not there; mount it, or name where it is now with "
            "run --clean and the dataset's other settings"
        )


def _check_empty(store: Store) -> None:
    """Found no dataset over the remains of another."""
    for folder in ("shards", "manifest", "work"):
        if names := store.names(folder):
            raise ValueError(
                f"{store.where(folder)} holds {names[0]!r}, but the root has no {IDENTITY_NAME}: "
                "it is not a dataset of gends, or lost its identity; name an empty --out"
            )
