"""Units on their way through a worker, in order: who is to blame when its process dies or hangs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import ray

from gends.jobs.building.worker import Started
from gends.pipeline.types import WorkUnit


@dataclass(slots=True, kw_only=True, eq=False)
class UnitInFlight:
    """One unit on its way."""

    unit: WorkUnit
    done: Any
    """Reference of the unit's report."""
    loaded: Any = None
    degraded: Any = None
    queue: WorkerQueue | None = None
    """None: the unit is only recorded as failed."""
    careful: bool = False
    """Its requests are made one by one, and it is not one of the queue's."""
    hung: bool = False
    """It was broken because it took too long."""

    @property
    def first(self) -> bool:
        """Whether the engine is at this unit: the oldest of its queue."""
        if self.queue is None or self.careful:
            return True
        return not self.queue.released and self.queue.in_flight[0] is self

    def finish(self) -> None:
        """Leave the queue."""
        if self.queue is None:
            return
        if self.careful:
            self.queue.careful -= 1
        else:
            self.queue.leave(self)


class WorkerQueue:
    """A worker and the units that were sent to it, oldest first."""

    def __init__(self, worker: Any) -> None:
        """Nothing is on its way yet."""
        self.worker = worker
        self.in_flight: list[UnitInFlight] = []
        self.careful = 0
        """Units that are made request by request, beside the queue's own."""
        self.released = False
        """The worker was let go; no unit is to blame for that."""
        self._moved = time.monotonic()

    def moved(self) -> float:
        """When a unit last ended or broke, by the monotonic clock."""
        return self._moved

    def __len__(self) -> int:
        """Units on their way."""
        return len(self.in_flight)

    def add(self, unit: WorkUnit, started: Started) -> UnitInFlight:
        """A unit was sent to the worker."""
        if not self.in_flight:
            self._moved = time.monotonic()
        sent = UnitInFlight(
            unit=unit,
            done=started.done,
            loaded=started.loaded,
            degraded=started.degraded,
            queue=self,
        )
        self.in_flight.append(sent)
        return sent

    def leave(self, sent: UnitInFlight) -> None:
        """A unit ended or broke."""
        self.in_flight.remove(sent)
        self._moved = time.monotonic()

    def break_what_hangs(self, timeout: float) -> None:
        """End the process that has been at the oldest unit for too long; the unit then breaks."""
        if not self.in_flight or time.monotonic() - self._moved < timeout:
            return
        sent = self.in_flight[0]
        sent.hung = True
        self._moved = time.monotonic()
        ready, _ = ray.wait([sent.loaded, sent.degraded], num_returns=2, timeout=0)
        if sent.loaded not in ready:
            ray.cancel(sent.loaded, force=True)
        elif sent.degraded not in ready:
            ray.kill(self.worker, no_restart=False)
        else:
            ray.cancel(sent.done, force=True)
