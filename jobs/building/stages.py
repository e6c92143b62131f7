"""The pipeline's stages as Ray tasks and actors: each only calls the pure function of its name."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from gends.jobs.building.tally import UnitReport
from gends.models.degrader import Degraded, Degrader
from gends.pipeline.format.manifest import Row
from gends.pipeline.keeping.commit import seal, write_unit
from gends.pipeline.keeping.lease import Lease
from gends.pipeline.keeping.reopened import close
from gends.pipeline.keeping.retry import completed
from gends.pipeline.making import unit as stages
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.planning.config import BuildConfig, FilterConfig
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.storage.store import Store
from gends.pipeline.types import Failure, Picture, Request, WorkUnit

RETRIES = 2
"""Times that what killed its process is tried again alone."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the engine made of a batch."""

    pairs: list[Degraded]
    seconds: float


@ray.remote
class Worker:
    """Holds the engine and does nothing but run it."""

    def __init__(self, context: Context) -> None:
        self._config = context.config
        self._engine: Degrader | None = None

    def _load(self) -> Degrader:
        # Not in the constructor: Ray hides what an actor's constructor raises.
        if self._engine is None:
            from gends.jobs.building.engines import make_engine  # noqa: PLC0415  keeps torch out of stages

            self._engine = make_engine(self._config)
        return self._engine

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engine."""
        return self._load().fingerprint()

    def degrade(
        self, unit: WorkUnit, loaded: stages.Loaded, batch: stages.Batch | None = None
    ) -> Drawn:
        """Run the engine on a batch; None is the unit's first."""
        start = time.monotonic()
        if batch is None:
            fault_point("degrade")
            batch = stages.first_batch(unit, loaded)
        for _, request in batch.requests:
            fault_point(f"degrade.{request.key}")
        pairs = stages.degrade_batch(self._load(), unit, loaded, batch)
        return Drawn(pairs=pairs, seconds=time.monotonic() - start)


@ray.remote(max_retries=0)  # the driver counts what breaks
def load_unit(context: Context, unit: WorkUnit) -> stages.Loaded:
    """Read and decode the photographs of a unit."""
    return load_views(unit.views, context.base, context.config)


@ray.remote(max_retries=0)
def finish_unit(
    context: Context, unit: WorkUnit, loaded: stages.Loaded, drawn: Drawn, worker: Any
) -> UnitReport:
    """Judge, redraw through `worker` what was rejected, encode, and make the unit durable."""
    seconds = drawn.seconds

    def redraw(batch: stages.Batch) -> list[Degraded | Failure]:
        nonlocal seconds
        again: Drawn = ray.get(worker.degrade.remote(unit, loaded, batch))
        seconds += again.seconds
        return [*again.pairs]

    judge = _judge(context.config.filter.model_dump_json())
    pairs: list[Degraded | Failure] = [*drawn.pairs]
    rows = stages.finish_unit(unit, loaded, pairs, redraw, judge, context.config)
    return _write(context, unit, rows, seconds)


@ray.remote(max_retries=0)
def make_carefully(context: Context, unit: WorkUnit, worker: Any, timeout: float) -> UnitReport:
    """Make a unit that breaks its stages: each photograph and each request in a call of its own.

    What still breaks, or takes longer than `timeout` seconds, fails alone.
    """
    loaded: list[Picture | Failure] = []
    for _, views in itertools.groupby(unit.views, key=lambda view: view.clean):
        loaded += _load_alone(context, replace(unit, views=tuple(views)), timeout)

    def run(batch: stages.Batch) -> list[Degraded | Failure]:
        return [_degrade_alone(worker, unit, loaded, batch, r, timeout) for r in batch.requests]

    judge = _judge(context.config.filter.model_dump_json())
    first = run(stages.first_batch(unit, loaded))
    rows = stages.finish_unit(unit, loaded, first, run, judge, context.config)
    return _write(context, unit, rows, 0.0)


def _load_alone(context: Context, unit: WorkUnit, timeout: float) -> stages.Loaded:
    made = _alone(
        lambda: load_unit.remote(context, unit),
        lambda reference: ray.cancel(reference, force=True),
        "decoder",
        timeout,
    )
    loaded: stages.Loaded = [made] * len(unit.views) if isinstance(made, Failure) else made
    return loaded


def _degrade_alone(
    worker: Any,
    unit: WorkUnit,
    loaded: stages.Loaded,
    batch: stages.Batch,
    request: tuple[int, Request],
    timeout: float,
) -> Degraded | Failure:
    alone = replace(batch, requests=(request,))

    def call() -> Any:
        # While it starts again a worker refuses calls, and no request is to blame for that.
        _await_return(worker)
        return worker.degrade.remote(unit, loaded, alone)

    made = _alone(
        call,
        lambda _: ray.kill(worker, no_restart=False),
        "engine",
        timeout,
    )
    return made if isinstance(made, Failure) else made.pairs[0]


def _await_return(worker: Any) -> None:
    deadline = time.monotonic() + RETURN_SECONDS
    while time.monotonic() < deadline:
        try:
            ray.get(worker.fingerprint.remote(), timeout=RETURN_SECONDS)
            return
        except RayError:
            time.sleep(0.5)


def _alone(
    call: Callable[[], Any], end: Callable[[Any], None], what: str, timeout: float
) -> Any | Failure:
    """The result of a call that may kill its process or hang, or its last failure.

    A death is tried again; a call that hangs is ended and is not.
    """
    for _ in range(1 + RETRIES):
        reference = call()
        try:
            return ray.get(reference, timeout=timeout)
        except RayError as error:
            failure = _failure(error, what, timeout)
            if isinstance(error, GetTimeoutError):
                end(reference)
                break
    return failure


def _failure(error: RayError, what: str, timeout: float) -> Failure:
    if isinstance(error, GetTimeoutError):
        return Failure(code=f"{what}_hung", detail=f"no result within {timeout:g} s")
    if isinstance(error, RayTaskError) and not isinstance(error.cause, RayError):
        return Failure(code=f"{what}_error", detail=str(error).strip().splitlines()[-1])
    # Ray's own text holds process numbers and addresses, and manifests are reproducible.
    return Failure(code=f"{what}_died", detail="the process that worked on it ended abnormally")


@ray.remote
def fail_unit(context: Context, unit: WorkUnit, failure: Failure) -> UnitReport:
    """Make a unit durable whose every request failed."""
    return _write(context, unit, stages.fail_unit(unit, context.config, failure), 0.0)


@ray.remote
def seal_shard(context: Context, shard: int, sizes: list[int]) -> None:
    """Turn durable units into a shard, and clean up after it."""
    store, check = context.store, partial(context.lease.check, context.store)
    seal(store, shard, sizes, context.config, context.config_digest, check=check)
    close(store, shard, check)


def _write(context: Context, unit: WorkUnit, rows: list[Row], seconds: float) -> UnitReport:
    store = context.store
    write_unit(store, unit.shard, unit.index, stages.in_order(completed(store, unit, rows)))
    return UnitReport(
        shard=unit.shard,
        index=unit.index,
        statuses=Counter(row["status"] for row in rows),
        reasons=Counter(row["reason"] for row in rows if row["reason"]),
        redrawn=sum(row["attempt"] for row in rows),
        seconds=seconds,
    )


@lru_cache(maxsize=1)
def _judge(config: str) -> Judge:
    # Its metrics may hold networks: one per process, not one per unit.
    return Judge(FilterConfig.model_validate_json(config))
