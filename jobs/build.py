"""The build: keeps every worker fed, bounds what is in flight, seals shards as they fill."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from gends.jobs.cluster import Resources
from gends.jobs.errors import BuildError
from gends.jobs.stages import Context, Worker, fail_unit, finish_unit, load_unit, seal_shard
from gends.jobs.tally import Tally
from gends.pipeline.commit import durable_units, work_folder
from gends.pipeline.config import ConfigError
from gends.pipeline.manifest import count_requests, sealed_shards
from gends.pipeline.plan import Plan
from gends.pipeline.store import Store
from gends.pipeline.types import Failure, WorkUnit

UNITS_PER_WORKER = 3
"""In flight for each worker: one in the engine, one loaded and waiting, one being finished."""
STRIKES = 3
"""Times a unit may break its stages before its requests are recorded as failed."""
NO_WORKER = -1
"""In place of a worker's number: the unit is only recorded."""


class Build:
    """One run of the driver over one root."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        context: Context,
        resources: Resources,
        on_progress: Callable[[Tally], None] = lambda tally: None,
    ) -> None:
        """Start the workers; they load their engines while the driver goes on."""
        self.store = store
        self.plan = plan
        self.resources = resources
        self.tally = Tally(total=plan.num_requests(), num_workers=resources.workers)
        self._context = ray.put(context)
        self._on_progress = on_progress
        actor: Any = Worker  # its type does not show what ray.remote added
        self._workers = [
            actor.options(
                num_cpus=resources.cpus_per_worker,
                num_gpus=resources.gpus_per_worker,
                max_restarts=-1,
                max_task_retries=STRIKES,
            ).remote(context)
            for _ in range(resources.workers)
        ]
        self._load = [0] * resources.workers
        self._flying: dict[Any, tuple[WorkUnit, int]] = {}
        self._sealing: dict[Any, int] = {}
        self._strikes: Counter[tuple[int, int]] = Counter()
        self._open: dict[int, int] = {}

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engine; waits until every worker has loaded it.

        Raises:
            ConfigError: the engine cannot be made as configured.
            BuildError: it does not start, or workers are so different that their bytes would be.
        """
        try:
            first, *others = ray.get([worker.fingerprint.remote() for worker in self._workers])
        except RayError as error:
            cause = error.cause if isinstance(error, RayTaskError) else None
            if isinstance(cause, ConfigError):
                raise ConfigError(str(cause)) from error
            raise BuildError(f"the engine does not start: {_last_line(error)}") from error
        for other in others:
            different = [name for name in first if other.get(name) != first[name]]
            if different:
                raise BuildError(
                    f"workers differ in {', '.join(different)}; give the cluster machines of one "
                    "kind with the same versions installed"
                )
        return dict(first)

    def run(self) -> Tally:
        """Make every unit that is not durable yet and seal every shard.

        Raises:
            BuildError: the first units all break; going on would fail every request.
        """
        self.tally.start()
        units = self._missing_units()
        most = self.resources.workers * UNITS_PER_WORKER
        while True:
            for unit in itertools.islice(units, max(0, most - len(self._flying))):
                self._submit(unit)
            waiting = [*self._flying, *self._sealing]
            if not waiting:
                break
            ready, _ = ray.wait(waiting, num_returns=1, timeout=1.0)
            for reference in ready:
                self._collect(reference)
            self._on_progress(self.tally)
        return self.tally

    def _missing_units(self) -> Iterator[WorkUnit]:
        """Units to make, in order; shards that turn out complete are sealed on the way."""
        sealed = set(sealed_shards(self.store))
        self.tally.sealed = len(sealed)
        for shard in range(self.plan.num_shards):
            if shard in sealed:
                # Killed between the manifest and the clean-up of its units.
                self.tally.resumed += count_requests(self.store, shard)
                self.store.remove_folder(work_folder(shard))
                continue
            durable = durable_units(self.store, shard)
            num_units = self.plan.num_units(shard)
            self.tally.resumed += sum(self.plan.count_requests(shard, i) for i in durable)
            self._open[shard] = num_units - len(durable)
            if not self._open[shard]:
                self._seal(shard)
            for index in range(num_units):
                if index not in durable:
                    yield self.plan.unit(shard, index)

    def _submit(self, unit: WorkUnit) -> None:
        number = self._load.index(min(self._load))
        worker = self._workers[number]
        self._load[number] += 1
        # Big arguments go through the object store once, not once per stage.
        shared = ray.put(unit)
        loaded = load_unit.remote(self._context, shared)
        degraded = worker.degrade.remote(shared, loaded)
        done = finish_unit.remote(self._context, shared, loaded, degraded, worker)
        self._flying[done] = (unit, number)

    def _collect(self, reference: Any) -> None:
        if reference in self._sealing:
            shard = self._sealing.pop(reference)
            try:
                ray.get(reference)
            except RayError as error:
                raise BuildError(f"shard {shard} cannot be sealed: {_last_line(error)}") from error
            self.tally.sealed += 1
            return
        unit, number = self._flying.pop(reference)
        if number != NO_WORKER:
            self._load[number] -= 1
        try:
            self.tally.add(ray.get(reference))
        except RayError as error:
            self._strike(unit, number, error)
            return
        self._open[unit.shard] -= 1
        if not self._open[unit.shard]:
            del self._open[unit.shard]
            self._seal(unit.shard)

    def _strike(self, unit: WorkUnit, number: int, error: RayError) -> None:
        # Loading turns a photograph that cannot be read into a failure; what is left is the root.
        cause = error.cause if isinstance(error, RayTaskError) else None
        if isinstance(cause, OSError) or number == NO_WORKER:
            raise BuildError(f"{self.store.root} cannot be written: {_last_line(error)}") from error
        place = (unit.shard, unit.index)
        self._strikes[place] += 1
        if self.tally.done == 0 and self._strikes.total() >= STRIKES:
            raise BuildError(
                f"nothing could be made: the first {STRIKES} tries broke, the last with\n{error}"
            ) from error
        if self._strikes[place] < STRIKES:
            self._submit(unit)
            return
        code = "engine_error" if cause is not None else "worker_died"
        failure = Failure(code=code, detail=_last_line(error))
        self._flying[fail_unit.remote(self._context, unit, failure)] = (unit, NO_WORKER)

    def _seal(self, shard: int) -> None:
        reference = seal_shard.remote(self._context, shard, self.plan.num_units(shard))
        self._sealing[reference] = shard


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]
