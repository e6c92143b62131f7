"""The Ray actor that holds the engines, and a unit's way through it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import ray

from gends.jobs.building.sameness import check_engine, uses_torch
from gends.jobs.building.stages import Context, Drawn, finish_unit, load_unit
from gends.models.degrader import Degrader
from gends.models.processor import with_processor
from gends.pipeline.making import unit as stages
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.types import WorkUnit

MOST_ALONG = 200
"""Requests of a unit that is sent along with each call, as Ray does with arguments under 100 kB.

Bigger units go through the object store, once and not once per stage; that costs the driver and its
machine's raylet some 3 ms each.
"""


@ray.remote
class Worker:
    """Holds the engines and does nothing but run them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._engines: dict[str, Degrader] = {}
        self._is_checked = False

    def _load(self) -> dict[str, Degrader]:
        # Not in the constructor: Ray hides what an actor's constructor raises.
        if not self._engines:
            from gends.jobs.building.engines import make_engines  # noqa: PLC0415  keeps torch out of stages

            self._engines = make_engines(self._context.config)
        return self._engines

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engines, and of the processor that they run on."""
        from gends.jobs.building.engines import fingerprint  # noqa: PLC0415

        engines = fingerprint(self._load())
        return with_processor(engines, torch=uses_torch(self._context.config))

    def _check(self) -> None:
        """Ray may have started this process again, on another machine."""
        if not self._is_checked:
            mixed = self._context.mixed_processors
            check_engine(self._context.store.url, self.fingerprint(), mixed=mixed)
            self._is_checked = True

    def degrade(
        self, unit: WorkUnit, loaded: stages.Loaded, batch: stages.Batch | None = None
    ) -> Drawn:
        """Make the pairs of a batch; None is the unit's first."""
        self._check()
        start = time.monotonic()
        if batch is None:
            fault_point("degrade")
            batch = stages.first_batch(unit, loaded)
        for _, request in batch.requests:
            fault_point(f"degrade.{request.key}")
        pairs = stages.make_batch(self._load(), unit, loaded, batch, self._context.config)
        return Drawn(pairs=pairs, seconds=time.monotonic() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """References of what a unit's stages will give."""

    loaded: Any
    degraded: Any
    done: Any
    """Of the unit's report."""


def start_unit(context: Any, unit: WorkUnit, worker: Any) -> Started:
    """Send a unit through load, degrade and finish; `context` is a reference."""
    shared = unit if unit.num_requests <= MOST_ALONG else ray.put(unit)
    loaded = load_unit.remote(context, shared)
    degraded = worker.degrade.remote(shared, loaded)
    done = finish_unit.remote(context, shared, loaded, degraded, worker)
    return Started(loaded=loaded, degraded=degraded, done=done)
