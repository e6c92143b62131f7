"""The workers of a build: as many as fit while machines leave the cluster and join it."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray.exceptions import RayError

from gends.jobs.building.in_flight import WorkerQueue
from gends.jobs.building.sameness import compare
from gends.jobs.building.stages import Context
from gends.jobs.building.worker import Worker
from gends.jobs.cluster.cause import last_line, origin
from gends.jobs.cluster.connect import Resources, in_use
from gends.jobs.errors import BuildError
from gends.pipeline.planning.config import ConfigError

LOOK_SECONDS = 5.0
"""Between two looks at the cluster."""


class WorkerPool:
    """Queues, one for each worker whose engine is known to be the same as the others'."""

    def __init__(self, context: Context, resources: Resources) -> None:
        """Start workers; they load their engines while the driver goes on."""
        self._context = context
        self._resources = resources
        self._engine: dict[str, str] = {}
        self._looked = time.monotonic()
        self._most: int | None = None
        self._joining: dict[Any, WorkerQueue] = {}
        self._places: dict[Any, Any] = {}
        """By what is in `_joining`: what is ready once the cluster has given the worker a place."""
        self.queues: list[WorkerQueue] = []
        self._start(resources.fitting())

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engine; waits until every worker has loaded it.

        Raises:
            ConfigError: the engine cannot be made as configured.
            BuildError: it does not start, or workers are so different that their bytes would be.
        """
        for reference in list(self._joining):
            self._accept(reference)
        return dict(self._engine)

    def waiting_for(self) -> str:
        """What `fingerprint` waits for, for people; any thread may ask."""
        places = list(self._places.values())
        total = len(places) + len(self.queues)
        _, without = ray.wait(places, num_returns=len(places), timeout=0) if places else ([], [])
        if not without:
            return f"loading the engine: {len(self.queues)} of {total} workers have it"
        gpus = self._resources.gpus_per_worker
        each = f"{self._resources.cpus_per_worker} CPU" + f" and {gpus} GPU" * bool(gpus)
        return (
            f"waiting for room in the cluster: {len(without)} of {total} workers have no place, "
            f"each takes {each}; {in_use()}"
        )

    def idlest(self) -> WorkerQueue | None:
        """The queue with the fewest units on their way; None while no machine has room."""
        return min(self.queues, key=len, default=None)

    def adjust(self) -> None:
        """Now and then, start workers where machines have joined and release what has no room.

        Raises:
            BuildError: see `fingerprint`.
        """
        ready, _ = ray.wait([*self._joining], timeout=0) if self._joining else ([], [])
        for reference in ready:
            self._accept(reference)
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        fitting = self._resources.fitting()
        wanted = fitting if self._most is None else min(fitting, self._most)
        missing = wanted - len(self.queues) - len(self._joining)
        self._start(missing)
        for _ in range(missing, 0):
            self._release()

    def shrink(self) -> None:
        """Do with one worker less from now on, where there are several: memory is short."""
        self._most = max(1, len(self.queues) - 1)

    def restore(self) -> None:
        """Have as many workers as fit again."""
        self._most = None

    def _start(self, count: int) -> None:
        actor: Any = Worker  # its type does not show what ray.remote added
        for _ in range(count):
            worker = actor.options(
                num_cpus=self._resources.cpus_per_worker,
                num_gpus=self._resources.gpus_per_worker,
                max_restarts=-1,
            ).remote(self._context)
            place = worker.__ray_ready__.remote()
            reference = worker.fingerprint.remote()
            self._joining[reference], self._places[reference] = WorkerQueue(worker), place

    def _accept(self, reference: Any) -> None:
        try:
            engine: dict[str, str] = ray.get(reference)
        except RayError as error:
            if isinstance(origin(error), ConfigError):
                raise ConfigError(str(origin(error))) from error
            raise BuildError(f"the engine does not start: {last_line(error)}") from error
        queue = self._joining.pop(reference)  # only now: until then it is waited for
        del self._places[reference]
        self._engine = self._engine or engine
        compare(self._engine, engine, mixed=self._context.mixed_processors)
        self.queues.append(queue)

    def _release(self) -> None:
        """Let one worker go: one that has not begun, or else one that has not moved for long.

        That one was most probably on the machine that left. Without this its next life could take
        the last CPU, and units would wait for ever to be loaded.
        """
        if self._joining:
            reference, queue = self._joining.popitem()
            del self._places[reference]
        else:
            # A unit that is made carefully would count the end of its worker as its own fault.
            free = [queue for queue in self.queues if not queue.careful]
            if not free:
                return
            queue = min(free, key=WorkerQueue.moved)
            self.queues.remove(queue)
        queue.released = True
        ray.kill(queue.worker)
