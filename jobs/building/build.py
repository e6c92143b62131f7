"""The build: keeps every worker fed, bounds what is in flight, seals shards as they fill."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from gends.jobs.building.attempts import Attempts, failure_of
from gends.jobs.building.in_flight import UnitInFlight, WorkerQueue
from gends.jobs.building.pool import WorkerPool
from gends.jobs.building.progress import Progress
from gends.jobs.building.remade import remade_line
from gends.jobs.building.sameness import compare_machines
from gends.jobs.building.shortage import Shortage
from gends.jobs.building.stages import (
    Context,
    fail_unit,
    make_carefully,
    seal_shard,
)
from gends.jobs.building.tally import Tally
from gends.jobs.building.worker import start_unit
from gends.jobs.cluster.cause import Blame, blame, last_line, origin, what_is_said
from gends.jobs.cluster.connect import Resources
from gends.jobs.cluster.losses import Losses
from gends.jobs.cluster.stop import Stop
from gends.jobs.errors import BuildError, DrainedError
from gends.pipeline.format.manifest import sealed_shards
from gends.pipeline.keeping.commit import UnitError, begun_shards, begun_units
from gends.pipeline.keeping.lease import LeaseLostError
from gends.pipeline.keeping.reopened import (
    forget,
    lost_manifests,
    read_record,
    remember_tar,
    settle,
)
from gends.pipeline.keeping.retry import without_kept
from gends.pipeline.planning.plan import Plan
from gends.pipeline.storage.store import Store
from gends.pipeline.types import WorkUnit

UNITS_PER_WORKER = 3
"""In flight for each worker: one in the engine, one loaded and waiting, one being finished."""


class Build:
    """One run of the driver over one root."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        context: Context,
        resources: Resources,
        *,
        stop: Stop | None = None,
        unit_timeout: float = 1800.0,
        progress: Progress | None = None,
    ) -> None:
        """Start the workers; they load their engines while the driver goes on."""
        self.store = store
        self.plan = plan
        self.tally = Tally(total=plan.num_requests(), num_workers=resources.fitting())
        self._stop = stop or Stop()
        self._timeout = unit_timeout
        self._mixed = context.mixed_processors
        self._context = ray.put(context)
        self._check = partial(context.lease.check, store)
        self._progress = progress
        self._pool = WorkerPool(context, resources)
        self._again: deque[WorkUnit] = deque()
        """Units that broke and are to be sent once more."""
        self._in_flight: dict[Any, UnitInFlight] = {}
        self._sealing: dict[Any, int] = {}
        self._attempts = Attempts(plan)
        self._open: dict[int, int] = {}
        self._losses = Losses()
        self._shortage = Shortage()

    def fingerprint(self) -> dict[str, str]:
        """Identity of the engine; see `WorkerPool.fingerprint` and `compare_machines`."""
        found = self._pool.fingerprint()
        if not self._mixed:
            compare_machines(found)
        return found

    def waiting_for(self) -> str:
        """What `fingerprint` waits for, for people."""
        return self._pool.waiting_for()

    def run(self) -> Tally:
        """Make every unit that is not durable yet and seal every shard.

        Raises:
            BuildError: the first units break one and all, and going on would fail every request;
                or the root cannot be written, or another build has taken it over.
            DrainedError: the build was asked to stop, and what was in flight is finished.
        """
        self.tally.start()
        units = self._missing_units()
        while not self._stop.lost:
            self._pool.adjust()
            self._feed(units)
            waiting = [*self._in_flight, *self._sealing]
            working = bool(self._pool.queues) and not self._shortage.paused
            idle = not waiting and (self._stop.draining or working)
            if self._stop.overdue or idle:
                break
            ready = self._await(waiting)
            if self._stop.interrupted:
                raise KeyboardInterrupt
            for reference in ready:
                self._collect(reference)
            for queue in self._pool.queues:
                queue.break_what_hangs(self._timeout)
            if self._progress is not None:
                self._progress(self.tally)
        if self._stop.lost:
            raise BuildError(f"{self.store.url} was taken over by another build; this one stops")
        if self._stop.draining and self.tally.sealed < self.plan.num_shards:
            raise DrainedError(
                f"stopped as asked, with {self.tally.done} requests made and "
                f"{sum(f.unit.num_requests for f in self._in_flight.values())} given up in flight; "
                "the same command resumes"
            )
        if self.tally.sealed < self.plan.num_shards:
            raise BuildError(
                f"{self.plan.num_shards - self.tally.sealed} shards are not sealed, and nothing is "
                "left to make: a mistake of gends; please report it with what status and verify say"
            )
        self.tally.end()
        self._tell_outcomes()
        return self.tally

    def _tell_outcomes(self) -> None:
        """Say what became of shards that were opened again, and then take it off the record."""
        begun = begun_shards(self.store)
        # The list of what is sealed is long, and most often nothing is begun.
        sealed = set(sealed_shards(self.store, self.plan.num_shards)) if begun else set[int]()
        for shard in sorted(begun & sealed):
            record = read_record(self.store, shard)
            if record is None or record.outcome is None:
                continue
            self.tally.remade[shard] = record.outcome
            if self._progress is not None:
                self._progress.say(remade_line(shard, record.outcome))
            forget(self.store, shard, self._check)

    def _missing_units(self) -> Iterator[WorkUnit]:
        """Units to make, in order; shards that turn out complete are sealed on the way."""
        for shard in lost_manifests(self.store, self.plan.num_shards):
            remember_tar(self.store, shard, self._check)
        sealed = set(sealed_shards(self.store, self.plan.num_shards))
        begun = begun_shards(self.store)
        for shard in begun & sealed:
            if settle(self.store, shard, self._check):
                sealed.remove(shard)
        self.tally.sealed = self.tally.sealed_before = len(sealed)
        for shard in range(self.plan.num_shards):
            if shard in sealed:
                self.tally.resumed += self.plan.count_of_shard(shard)
                continue
            num_units = self.plan.num_units(shard)
            durable, kept = set[int](), set[int]()
            if shard in begun:  # one listing said so: in a bucket each costs a round trip
                durable, kept = begun_units(self.store, shard, num_units)
            self.tally.resumed += sum(self.plan.count_requests(shard, i) for i in durable)
            self._open[shard] = num_units - len(durable)
            if not self._open[shard]:
                self._seal(shard)
            for index in range(num_units):
                if index in durable:
                    continue
                yield self._missing(shard, index, index in kept)

    def _missing(self, shard: int, index: int, partly: bool) -> WorkUnit:
        """A unit to make: all of it, or what is missing beside rows that were kept."""
        unit = self.plan.unit(shard, index)
        if not partly:
            return unit
        try:
            missing = without_kept(self.store, unit)
        except UnitError as error:
            self._say(error)
            return unit
        self.tally.resumed += unit.num_requests - missing.num_requests
        return missing

    def _feed(self, units: Iterator[WorkUnit]) -> None:
        """Send units while workers have room for them, first those that broke."""
        self.tally.num_workers = len(self._pool.queues)
        while not self._stop.draining:
            queue = self._pool.idlest()
            if queue is None or self._shortage.paused or len(self._in_flight) >= self._most():
                return
            unit = self._again.popleft() if self._again else next(units, None)
            if unit is None:
                return
            sent = queue.add(unit, start_unit(self._context, unit, queue.worker))
            self._in_flight[sent.done] = sent

    def _most(self) -> int:
        """Units that may be in flight now."""
        most = len(self._pool.queues) * UNITS_PER_WORKER
        return min(most, self._shortage.limit or most)

    def _await(self, waiting: list[Any]) -> list[Any]:
        """What has ended, after half a second at most."""
        if not waiting:
            time.sleep(0.5)  # no machine has room, or memory
            return []
        ready, _ = ray.wait(waiting, num_returns=1, timeout=0.5)
        return list(ready)

    def _collect(self, reference: Any) -> None:
        if reference in self._sealing:
            self._sealed(reference)
            return
        sent = self._in_flight.pop(reference)
        try:
            report = ray.get(reference)
        except RayError as error:
            self._broken(sent, error)
            return
        sent.finish()
        self._ease()
        self.tally.add(report)
        shard = sent.unit.shard
        self._open[shard] -= 1
        if not self._open[shard]:
            del self._open[shard]
            self._seal(shard)

    def _broken(self, sent: UnitInFlight, error: RayError) -> None:
        cause = origin(error)
        if isinstance(cause, UnitError):
            # Of the rows that were kept beside what it made: then all of it is made.
            sent.finish()
            self._make_again(cause, without=sent.unit.num_requests)
            return
        queue, died = sent.queue, isinstance(cause, RayActorError)
        # When an engine's process dies it takes all its units along; the one it was at comes first.
        bystander = died and not sent.first
        at_fault = "lost" if bystander else self._blame(sent, error)
        # What is wrong with one photograph is a failure; what is left is the root, the photographs
        # as a whole, or a machine.
        if at_fault == "machine" or queue is None:
            raise BuildError(f"{what_is_said(cause)}; the same command resumes") from error
        sent.finish()
        if at_fault == "memory":
            self._wait_for_memory(sent.unit)
        if at_fault == "unit":
            self._try_again(sent, queue, error)
        else:
            self._again.append(sent.unit)

    def _blame(self, sent: UnitInFlight, error: RayError) -> Blame:
        found, died = blame(error), isinstance(origin(error), RayError)
        if found == "unit" and died and not sent.hung and self._losses.any():
            return "memory" if self._losses.of_memory() else "lost"
        return found

    def _wait_for_memory(self, unit: WorkUnit) -> None:
        """Wait, then go on with fewer units in flight, and with fewer workers at the least."""
        if not self._in_flight:
            self._pool.shrink()
        line = self._shortage.begin(unit, len(self._in_flight) + 1)
        if line is not None and self._progress is not None:
            self._progress.say(line)

    def _ease(self) -> None:
        """A unit was made; once as many may be in flight as ever, workers come back, too."""
        self._shortage.ease(len(self._pool.queues) * UNITS_PER_WORKER)
        if self._shortage.limit is None:
            self._pool.restore()

    def _try_again(self, sent: UnitInFlight, queue: WorkerQueue, error: RayError) -> None:
        """A unit broke by its own fault: it is tried again, then in pieces, and then it fails."""
        unit, made = sent.unit, self.tally.done + self.tally.resumed
        what = self._attempts.count(sent, error, made=made)
        if what == "again":
            self._again.append(unit)
        elif what == "carefully":
            self._submit_carefully(unit, queue)
        else:
            done = fail_unit.remote(self._context, unit, failure_of(error))
            self._in_flight[done] = UnitInFlight(unit=unit, done=done)

    def _submit_carefully(self, unit: WorkUnit, queue: WorkerQueue) -> None:
        queue.careful += 1
        done = make_carefully.remote(self._context, unit, queue.worker, self._timeout)
        self._in_flight[done] = UnitInFlight(unit=unit, done=done, queue=queue, careful=True)

    def _make_again(self, damage: UnitError, without: int = 0) -> None:
        """Make a whole unit that was counted, or all of it `without` so many requests."""
        self._say(damage)
        unit = self.plan.unit(damage.shard, damage.index)
        self.tally.resumed -= unit.num_requests - without
        self._again.append(unit)

    def _say(self, damage: UnitError) -> None:
        if self._progress is not None:
            self._progress.say(str(damage))

    def _seal(self, shard: int) -> None:
        reference = seal_shard.remote(self._context, shard, self.plan.unit_sizes(shard))
        self._sealing[reference] = shard

    def _sealed(self, reference: Any) -> None:
        shard = self._sealing.pop(reference)
        try:
            ray.get(reference)
        except RayError as error:
            cause = origin(error)
            if isinstance(cause, LeaseLostError):
                raise BuildError(str(cause)) from error
            if isinstance(cause, UnitError):
                self._open[shard] = 1
                self._make_again(cause)
                return
            raise BuildError(
                f"shard {shard} cannot be sealed: {last_line(cause)}; the same command resumes"
            ) from error
        self.tally.sealed += 1
