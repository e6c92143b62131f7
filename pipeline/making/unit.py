"""What happens to one unit: load → degrade → judge → redraw → rows. Any launcher can call this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gends.pipeline.format.manifest import Row
from gends.pipeline.making.carry_out import Engines, Pair, Task, carry_out
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.pack import Packer
from gends.pipeline.making.row import Outcome, failed_row, judged_row
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.types import Failure, Picture, Request, WorkUnit

Loaded = Sequence[Picture | Failure]
"""What came of each view of a unit, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The requests of one attempt: what the engine gets in one call."""

    attempt: int
    requests: tuple[tuple[int, Request], ...]
    """Each with the index of its view in the unit; requests of a view are neighbours."""


def first_batch(unit: WorkUnit, loaded: Loaded) -> Batch:
    """All requests of the views that could be loaded."""
    requests = (
        (index, request)
        for index, view in enumerate(unit.views)
        if isinstance(loaded[index], Picture)
        for request in view.requests
    )
    return Batch(attempt=0, requests=tuple(requests))


def make_batch(
    engines: Engines, unit: WorkUnit, loaded: Loaded, batch: Batch, config: BuildConfig
) -> list[Pair]:
    """Carry out the recipes of one batch; results are in the order of its requests."""
    tasks = [
        Task(
            request=request,
            attempt=batch.attempt,
            clean=_picture(loaded, index).pixels,
            caption=unit.views[index].clean.caption,
        )
        for index, request in batch.requests
    ]
    return carry_out(engines, tasks, config)


def finish_unit(
    unit: WorkUnit,
    loaded: Loaded,
    made: Sequence[Pair | Failure],
    redraw: Callable[[Batch], Sequence[Pair | Failure]],
    judge: Judge,
    config: BuildConfig,
) -> list[Row]:
    """Judge the first attempt, redraw what was rejected, and give every request its row.

    A request of which an engine gives a Failure in place of a pair fails with it.
    Rows come sorted by key; those of accepted pairs carry the encoded images (see `row`).
    """
    rows = [
        failed_row(unit.shard, view, request, failure)
        for view, failure in zip(unit.views, loaded, strict=True)
        if isinstance(failure, Failure)
        for request in view.requests
    ]
    batch, packer = first_batch(unit, loaded), Packer(config)
    while batch.requests:
        rejected = []
        for (index, request), pair in zip(batch.requests, made, strict=True):
            if isinstance(pair, Failure):
                view = unit.views[index]
                failure = replace(pair, blake3=_picture(loaded, index).blake3)
                rows.append(failed_row(unit.shard, view, request, failure))
                continue
            packed = packer.pack(pair)
            verdict = judge(request, packed.pair)
            if verdict.reason is not None and batch.attempt < config.redraws:
                rejected.append((index, request))
                continue
            outcome = Outcome(
                attempt=batch.attempt,
                source_blake3=_picture(loaded, index).blake3,
                packed=packed,
                verdict=verdict,
            )
            rows.append(judged_row(unit.shard, unit.views[index], request, outcome))
        batch = Batch(attempt=batch.attempt + 1, requests=tuple(rejected))
        made = redraw(batch) if batch.requests else []
    return in_order(rows)


def fail_unit(unit: WorkUnit, failure: Failure) -> list[Row]:
    """Rows of a unit whose every request failed for one reason."""
    return in_order(
        failed_row(unit.shard, view, request, failure)
        for view in unit.views
        for request in view.requests
    )


def make_unit(
    unit: WorkUnit, loaded: Loaded, engines: Engines, judge: Judge, config: BuildConfig
) -> list[Row]:
    """Make and finish a loaded unit in this process."""

    def run(batch: Batch) -> list[Pair]:
        return make_batch(engines, unit, loaded, batch, config)

    return finish_unit(unit, loaded, run(first_batch(unit, loaded)), run, judge, config)


def _picture(loaded: Loaded, index: int) -> Picture:
    picture = loaded[index]
    assert isinstance(picture, Picture), "batches hold only views that were loaded"
    return picture


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows sorted by key."""
    return sorted(rows, key=lambda row: str(row["key"]))
