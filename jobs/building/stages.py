"""The pipeline's stages as Ray tasks: each only calls the pure function of its name."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from gends.jobs.building.alone import Alone
from gends.jobs.building.sameness import check_process
from gends.jobs.building.tally import UnitReport
from gends.pipeline.format.manifest import Row
from gends.pipeline.keeping.commit import seal, write_unit
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.lease import Lease
from gends.pipeline.keeping.reopened import close
from gends.pipeline.keeping.retry import completed
from gends.pipeline.making import unit as stages
from gends.pipeline.making.carry_out import Pair
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.photographs.encoded import read_bytes
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.planning.config import BuildConfig, FilterConfig
from gends.pipeline.storage.store import StorageError, Store
from gends.pipeline.types import CleanImage, Failure, Picture, Request, WorkUnit

RETURN_SECONDS = 300.0
"""For a worker to be back whose process or machine is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every stage of a build needs to know; put into the object store once."""

    store: Store
    base: Path
    config: BuildConfig
    config_digest: str
    lease: Lease
    fail_missing: bool = False
    """Whether photographs fail alone, too, whose folder is gone as a whole."""
    mixed_processors: bool = False
    """Whether processors may differ, and with them last bits."""

    def check_process(self) -> None:
        """See that this process has the processor of the dataset; see `check_process`."""
        if not self.mixed_processors:
            check_process(self.store.url, bool(self.config.filter.metrics))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the engine made of a batch."""

    pairs: list[Pair]
    seconds: float


@ray.remote(max_retries=0)  # the driver counts what breaks
def load_unit(context: Context, unit: WorkUnit) -> stages.Loaded:
    """Read and decode the photographs of a unit."""
    context.check_process()
    near = None if context.fail_missing else _neighbours(context.store.url, context.base)
    return load_views(unit.views, context.base, context.config, near)


@ray.remote(max_retries=0)
def finish_unit(
    context: Context, unit: WorkUnit, loaded: stages.Loaded, drawn: Drawn, worker: Any
) -> UnitReport:
    """Judge, redraw through `worker` what was rejected, encode, and make the unit durable."""
    context.check_process()
    seconds = drawn.seconds

    def redraw(batch: stages.Batch) -> list[Pair | Failure]:
        nonlocal seconds
        again: Drawn = ray.get(worker.degrade.remote(unit, loaded, batch))
        seconds += again.seconds
        return [*again.pairs]

    judge = _judge(context.config.filter.model_dump_json())
    pairs: list[Pair | Failure] = [*drawn.pairs]
    rows = stages.finish_unit(unit, loaded, pairs, redraw, judge, context.config)
    return _write(context, unit, loaded, rows, seconds)


@ray.remote(max_retries=0)
def make_carefully(context: Context, unit: WorkUnit, worker: Any, timeout: float) -> UnitReport:
    """Make a unit that breaks its stages: each photograph and each request in a call of its own.

    What still breaks, or takes longer than `timeout` seconds, fails alone.
    """
    context.check_process()
    loaded: list[Picture | Failure] = []
    alone = Alone(timeout)
    for _, views in itertools.groupby(unit.views, key=lambda view: view.clean):
        loaded += _load_alone(context, replace(unit, views=tuple(views)), alone)

    def run(batch: stages.Batch) -> list[Pair | Failure]:
        return [_degrade_alone(worker, unit, loaded, batch, r, alone) for r in batch.requests]

    judge = _judge(context.config.filter.model_dump_json())
    first = run(stages.first_batch(unit, loaded))
    rows = stages.finish_unit(unit, loaded, first, run, judge, context.config)
    return _write(context, unit, loaded, rows)


@ray.remote(max_retries=0)
def read_photograph(context: Context, clean: CleanImage) -> None:
    """Read the bytes of a photograph, and decode nothing."""
    with contextlib.suppress(OSError, ValueError):
        read_bytes(context.base, clean)


def _load_alone(context: Context, unit: WorkUnit, alone: Alone) -> stages.Loaded:
    def end(reference: Any) -> None:
        ray.cancel(reference, force=True)

    made = alone.call(lambda: load_unit.remote(context, unit), end, "decoder")
    if not isinstance(made, Failure):
        loaded: stages.Loaded = made
        return loaded
    clean = unit.views[0].clean
    read = alone.call(lambda: read_photograph.remote(context, clean), end, "reader")
    if isinstance(read, Failure) and read.code == "reader_hung":
        raise StorageError(
            f"{context.base / clean.uri}: reading it has no end ({read.detail}); see whether its "
            "disk answers, or give it longer (--unit-timeout)"
        )
    return [made] * len(unit.views)


def _degrade_alone(
    worker: Any,
    unit: WorkUnit,
    loaded: stages.Loaded,
    batch: stages.Batch,
    request: tuple[int, Request],
    alone: Alone,
) -> Pair | Failure:
    def call() -> Any:
        # While it starts again a worker refuses calls, and no request is to blame for that.
        _await_return(worker)
        return worker.degrade.remote(unit, loaded, replace(batch, requests=(request,)))

    made = alone.call(call, lambda _: ray.kill(worker, no_restart=False), "engine")
    return made if isinstance(made, Failure) else made.pairs[0]


def _await_return(worker: Any) -> None:
    deadline = time.monotonic() + RETURN_SECONDS
    while time.monotonic() < deadline:
        try:
            ray.get(worker.fingerprint.remote(), timeout=RETURN_SECONDS)
            return
        except RayError:
            time.sleep(0.5)


@ray.remote
def fail_unit(context: Context, unit: WorkUnit, failure: Failure) -> UnitReport:
    """Make a unit durable whose every request failed."""
    rows = stages.fail_unit(unit, failure)
    return _write(context, unit, [failure] * len(unit.views), rows)


@ray.remote
def seal_shard(context: Context, shard: int, sizes: list[int]) -> None:
    """Turn durable units into a shard, and clean up after it."""
    store, check = context.store, partial(context.lease.check, context.store)
    seal(store, shard, sizes, context.config, context.config_digest, check=check)
    close(store, shard, check)


def _write(
    context: Context, unit: WorkUnit, loaded: stages.Loaded, rows: list[Row], seconds: float = 0.0
) -> UnitReport:
    store = context.store
    write_unit(store, unit.shard, unit.index, stages.in_order(completed(store, unit, rows)))
    return UnitReport(
        shard=unit.shard,
        index=unit.index,
        statuses=Counter(row["status"] for row in rows),
        reasons=Counter(row["reason"] for row in rows if row["reason"]),
        redrawn=sum(row["attempt"] for row in rows),
        seconds=seconds,
        rewritten=tuple(dict.fromkeys(_rewritten(unit, loaded))),
    )


def _rewritten(unit: WorkUnit, loaded: stages.Loaded) -> Iterator[str]:
    for view, picture in zip(unit.views, loaded, strict=True):
        if isinstance(picture, Picture) and picture.rewritten:
            yield view.clean.uri


@lru_cache(maxsize=1)
def _neighbours(root: str, base: Path) -> Neighbours:
    # Opened once and when it is needed: of a bucket all of it comes here.
    catalog = cache(lambda: open_dataset(root).plan.catalog)
    return Neighbours(lambda folder: catalog().there(folder), base)


@lru_cache(maxsize=1)
def _judge(config: str) -> Judge:
    # Its metrics may hold networks: one per process, not one per unit.
    return Judge(FilterConfig.model_validate_json(config))
