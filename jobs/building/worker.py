"""The Ray actor that holds the engine, and a unit's way through it."""

from __future__ import annotations

import itertools
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
    """Holds the engine and does nothing but run it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._engine: Degrader | None = None
        self._is_checked = False

    def _load(self) -> Degrader:
        # Not in the constructor: Ray hides what an actor's constructor raises.
        if self._engine is None:
            from gends.jobs.building.engines import make_engine  # noqa: PLC0415  keeps torch out of stages

            self._engine = make_engine(self._context.config)
        return self._engine

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engine, and of the processor that it runs on."""
        engine = self._load().fingerprint()
        return with_processor(engine, torch=uses_torch(self._context.config))

    def _check(self) -> None:
        """Ray may have started this process again, on another machine."""
        if not self._is_checked:
            mixed = self._context.mixed_processors
            check_engine(self._context.store.url, self.fingerprint(), mixed=mixed)
            self._is_checked = True

    def degrade(
        self, unit: WorkUnit, loaded: stages.Loaded, batch: stages.Batch | None = None
    ) -> Drawn:
        """Run the engine on a batch; None is the unit's first."""
        self._check()
        start = time.monotonic()
        if batch is None:
            fault_point("degrade")
            batch = stages.first_batch(unit, loaded)
        for _, request in batch.requests:
            fault_point(f"degrade.{request.key}")
        cleans, instructions = stages.engine_arguments(unit, loaded, batch)
        made = self._load().degrade(cleans, instructions) if cleans else []
        pairs = list(itertools.chain.from_iterable(made))
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
