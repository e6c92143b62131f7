"""The pipeline's stages as Ray tasks and actors: each only calls the pure function of its name."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray

from gends.jobs.tally import UnitReport
from gends.models.degrader import Degraded, Degrader
from gends.pipeline import unit as stages
from gends.pipeline.commit import seal, write_unit
from gends.pipeline.config import BuildConfig, FilterConfig
from gends.pipeline.judge import Judge
from gends.pipeline.load import load_views
from gends.pipeline.manifest import Row
from gends.pipeline.store import Store
from gends.pipeline.types import Failure, WorkUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every stage of a build needs to know; put into the object store once."""

    root: Path
    base: Path
    config: BuildConfig
    config_digest: str


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
            from gends.jobs.engine import make_engine  # noqa: PLC0415  keeps torch out of stages

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
        batch = batch or stages.first_batch(unit, loaded)
        pairs = stages.degrade_batch(self._load(), unit, loaded, batch)
        return Drawn(pairs=pairs, seconds=time.monotonic() - start)


@ray.remote
def load_unit(context: Context, unit: WorkUnit) -> stages.Loaded:
    """Read and decode the photographs of a unit."""
    return load_views(unit.views, context.base, context.config)


@ray.remote
def finish_unit(
    context: Context, unit: WorkUnit, loaded: stages.Loaded, drawn: Drawn, worker: Any
) -> UnitReport:
    """Judge, redraw through `worker` what was rejected, encode, and make the unit durable."""
    seconds = drawn.seconds

    def redraw(batch: stages.Batch) -> list[Degraded]:
        nonlocal seconds
        again: Drawn = ray.get(worker.degrade.remote(unit, loaded, batch))
        seconds += again.seconds
        return again.pairs

    judge = _judge(context.config.filter.model_dump_json())
    rows = stages.finish_unit(unit, loaded, drawn.pairs, redraw, judge, context.config)
    return _write(context, unit, rows, seconds)


@ray.remote
def fail_unit(context: Context, unit: WorkUnit, failure: Failure) -> UnitReport:
    """Make a unit durable whose every request failed."""
    return _write(context, unit, stages.fail_unit(unit, context.config, failure), 0.0)


@ray.remote
def seal_shard(context: Context, shard: int, num_units: int) -> int:
    """Turn durable units into a shard."""
    seal(Store(context.root), shard, num_units, context.config, context.config_digest)
    return shard


def _write(context: Context, unit: WorkUnit, rows: list[Row], seconds: float) -> UnitReport:
    write_unit(Store(context.root), unit.shard, unit.index, rows)
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
