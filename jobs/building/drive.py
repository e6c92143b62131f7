"""Drive a build over a root: hold its lease, start Ray and the engine, make what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from gends.jobs.building.inputs import Inputs
from gends.jobs.building.progress import Progress
from gends.jobs.building.tally import Tally
from gends.jobs.cluster.stop import Stop
from gends.jobs.console.alive import alive
from gends.jobs.console.last_line import PLAIN_SECONDS
from gends.models.processor import is_mixed
from gends.pipeline.format.identity import IDENTITY_NAME, read_identity
from gends.pipeline.keeping.dataset import check_identity, config_digest
from gends.pipeline.keeping.lease import FOLDER as LEASE_FOLDER
from gends.pipeline.keeping.lease import Lease, forget_leases, hold
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.storage.folder import LocalStore
from gends.pipeline.storage.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])
LOOK_SECONDS = 5.0
"""Most engines are loaded sooner, and busy clusters should not be waited for without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Where a build runs, how patient it is, and what it puts up with."""

    workers: int | None = None
    address: str | None = None
    unit_timeout: float = 1800.0
    """Seconds that a unit may take before what works on it counts as hanging."""
    grace: float = 120.0
    """Seconds that units in flight get to finish after SIGTERM."""
    store_timeout: float = 180.0
    """Seconds for which a bucket that does not answer is asked again."""
    fail_missing: bool = False
    """Whether photographs fail alone, too, whose folder is gone as a whole."""
    mixed_processors: bool = False
    """Whether processors may differ among the machines, or from the dataset's own."""


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
    _check_base(inputs, cluster)
    mixed = cluster.mixed_processors
    if store.exists(IDENTITY_NAME):
        mixed = mixed or is_mixed(read_identity(store)["engine"])
    else:
        _check_empty(store)
    progress.say("starting Ray and the engine")
    # Ray takes its time to import, and neither --help nor a finished dataset needs it.
    with alive("loading Ray", PLAIN_SECONDS):
        from gends.jobs.building.build import Build  # noqa: PLC0415
        from gends.jobs.building.sameness import founding  # noqa: PLC0415
        from gends.jobs.building.stages import Context  # noqa: PLC0415
        from gends.jobs.cluster.connect import connect  # noqa: PLC0415
    context = Context(
        store=store,
        base=inputs.base,
        config=inputs.config,
        config_digest=config_digest(inputs.config),
        lease=lease,
        fail_missing=cluster.fail_missing,
        mixed_processors=mixed,
    )
    threads, on_gpu = inputs.config.generator.threads, "gendeg" in inputs.config.engines
    with contextlib.ExitStack() as stack:
        with alive("starting Ray", PLAIN_SECONDS):
            cluster_of = connect(cluster.address, cluster.workers, threads, on_gpu=on_gpu)
            resources = stack.enter_context(cluster_of)
            job = Build(
                *(store, inputs.plan, context, resources),
                stop=stop,
                unit_timeout=cluster.unit_timeout,
                progress=progress,
            )
        with alive(job.waiting_for, LOOK_SECONDS):
            engine = job.fingerprint()
        if store.exists(IDENTITY_NAME):
            check_identity(store, inputs.identity(engine), processors=not mixed)
        else:
            inputs.found(store, founding(engine, mixed=mixed))
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


def _check_base(inputs: Inputs, cluster: ClusterOptions) -> None:
    """See that the photographs' disk is there: an empty folder is left where one was mounted."""
    base = inputs.base
    if not base.is_dir():
        raise ValueError(
            f"{base}: the photographs' folder is not there; mount it, or name where it is now with "
            "run --clean and the dataset's other settings"
        )
    if not cluster.fail_missing and not Neighbours(inputs.catalog.there, base).any_there():
        raise ValueError(
            f"{base}: no photograph of the dataset is there; mount its disk, name where they are "
            "now with run --clean and the dataset's other settings, or, if they are gone for good, "
            "have failed rows made of them (--fail-missing)"
        )


def _check_empty(store: Store) -> None:
    """Found no dataset over the remains of another."""
    for folder in ("shards", "manifest", "work"):
        if names := store.names(folder):
            raise ValueError(
                f"{store.where(folder)} holds {names[0]!r}, but the root has no {IDENTITY_NAME}: "
                "it is not a dataset of gends, or lost its identity; name an empty --out"
            )
