"""What happens to one unit: load → degrade → judge → redraw → rows. Any launcher can call this."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gends.models.degrader import Degraded, Degrader, Image, Instruction
from gends.pipeline.format.manifest import Row
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


def engine_arguments(
    unit: WorkUnit, loaded: Loaded, batch: Batch
) -> tuple[list[Image], list[list[Instruction]]]:
    """What `Degrader.degrade` is called with; its results are in the order of the requests."""
    cleans, instructions = [], []
    for index, group in itertools.groupby(batch.requests, key=lambda item: item[0]):
        cleans.append(_picture(loaded, index).pixels)
        caption = unit.views[index].clean.caption
        instructions.append([r.instruction(batch.attempt, caption) for _, r in group])
    return cleans, instructions


def degrade_batch(
    degrader: Degrader, unit: WorkUnit, loaded: Loaded, batch: Batch
) -> list[Degraded]:
    """Run the engine on one batch; results are in the order of the batch's requests."""
    cleans, instructions = engine_arguments(unit, loaded, batch)
    pairs = degrader.degrade(cleans, instructions) if cleans else []
    return list(itertools.chain.from_iterable(pairs))


def finish_unit(
    unit: WorkUnit,
    loaded: Loaded,
    degraded: Sequence[Degraded | Failure],
    redraw: Callable[[Batch], Sequence[Degraded | Failure]],
    judge: Judge,
    config: BuildConfig,
) -> list[Row]:
    """Judge the first attempt, redraw what was rejected, and give every request its row.

    A request of which the engine gives a Failure in place of a pair fails with it.
    Rows come sorted by key; those of accepted pairs carry the encoded images (see `row`).
    """
    rows = [
        failed_row(unit.shard, view, request, config, failure)
        for view, failure in zip(unit.views, loaded, strict=True)
        if isinstance(failure, Failure)
        for request in view.requests
    ]
    batch, packer = first_batch(unit, loaded), Packer(config)
    while batch.requests:
        rejected = []
        for (index, request), pair in zip(batch.requests, degraded, strict=True):
            if isinstance(pair, Failure):
                view = unit.views[index]
                failure = replace(pair, blake3=_picture(loaded, index).blake3)
                rows.append(failed_row(unit.shard, view, request, config, failure))
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
            rows.append(judged_row(unit.shard, unit.views[index], request, config, outcome))
        batch = Batch(attempt=batch.attempt + 1, requests=tuple(rejected))
        degraded = redraw(batch) if batch.requests else []
    return in_order(rows)


def fail_unit(unit: WorkUnit, config: BuildConfig, failure: Failure) -> list[Row]:
    """Rows of a unit whose every request failed for one reason."""
    return in_order(
        failed_row(unit.shard, view, request, config, failure)
        for view in unit.views
        for request in view.requests
    )


def make_unit(
    unit: WorkUnit, loaded: Loaded, degrader: Degrader, judge: Judge, config: BuildConfig
) -> list[Row]:
    """Degrade and finish a loaded unit in this process."""

    def run(batch: Batch) -> list[Degraded]:
        return degrade_batch(degrader, unit, loaded, batch)

    return finish_unit(unit, loaded, run(first_batch(unit, loaded)), run, judge, config)


def _picture(loaded: Loaded, index: int) -> Picture:
    picture = loaded[index]
    assert isinstance(picture, Picture), "batches hold only views that were loaded"
    return picture


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows sorted by key."""
    return sorted(rows, key=lambda row: str(row["key"]))
