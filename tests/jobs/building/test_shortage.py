from __future__ import annotations

import errno
import os

import pytest
import torch
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    OutOfDiskError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)

from gends.jobs.building.shortage import PATIENCE, PAUSES, Shortage
from gends.jobs.cluster.cause import blame, what_is_said
from gends.jobs.errors import BuildError
from gends.pipeline.format.damage import DamageError
from gends.pipeline.storage.store import StorageError
from gends.pipeline.types import CleanImage, View, WorkUnit

CLEAN = CleanImage(source_id="x", uri="x.png", dataset="d")
UNIT = WorkUnit(shard=0, index=0, views=(View(clean=CLEAN, crop=None, requests=()),))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_shortage_halves_what_is_in_flight_and_pauses_longer_each_time(clock):
    shortage = Shortage(clock)
    said, pauses = [], []
    for _ in range(8):
        said.append(shortage.begin(UNIT, 8))
        started = clock.now
        while shortage.paused:
            clock.now += 1
        pauses.append(clock.now - started)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert said[0] == (
        "memory is short, which is no fault of a photograph: waiting 2 s, then going on with 4 "
        "units at a time"
    )
    assert shortage.limit == 4
    assert "1 unit at a time" in str(shortage.begin(UNIT, 1))


def test_one_shortage_breaks_several_units_and_is_said_once(clock):
    shortage = Shortage(clock)
    assert shortage.begin(UNIT, 4)
    assert shortage.begin(UNIT, 1) is None
    assert shortage.limit == 2


def test_units_that_are_made_bring_everything_back(clock):
    shortage = Shortage(clock)
    shortage.begin(UNIT, 8)
    limits = []
    for _ in range(3):
        shortage.ease(most=6)
        limits.append(shortage.limit)
    assert limits == [5, None, None]
    clock.now += PATIENCE * 2
    assert "waiting 2 s" in str(shortage.begin(UNIT, 8))


def test_a_shortage_without_an_end_stops_the_build_and_names_a_photograph(clock):
    shortage = Shortage(clock)
    while clock.now <= 1000 + PATIENCE:
        shortage.begin(UNIT, 1)
        clock.now += PAUSES[1]
    with pytest.raises(BuildError, match=r"15 minutes.*that of x\.png.*lower --workers; the same"):
        shortage.begin(UNIT, 1)


def behind(cause: Exception) -> RayTaskError:
    return RayTaskError("load_unit", "Traceback ...\nlast", cause)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OutOfMemoryError("ended"), "memory"),
        (behind(OutOfMemoryError("ended")), "memory"),
        (behind(behind(MemoryError())), "memory"),
        (behind(torch.OutOfMemoryError("CUDA out of memory")), "memory"),
        (behind(StorageError("away")), "machine"),
        (behind(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), "machine"),
        (behind(DamageError("catalog.parquet: lost")), "machine"),
        (behind(RuntimeError("CUDA error: uncorrectable ECC error\nCompile with")), "machine"),
        (behind(BuildError("workers differ")), "machine"),
        (OutOfDiskError("full"), "machine"),
        (NodeDiedError("gone"), "lost"),
        (behind(NodeDiedError("gone")), "lost"),
        (ObjectLostError("0" * 56, None, ""), "lost"),
        (WorkerCrashedError(), "unit"),
        (ActorDiedError(), "unit"),
        (ActorUnavailableError("gone", b"0" * 16), "unit"),
        (behind(RuntimeError("shapes do not match")), "unit"),
        (behind(ValueError("no such degradation")), "unit"),
    ],
)
def test_who_is_to_blame(error, expected):
    assert blame(error) == expected


def test_of_an_error_the_line_is_said_that_tells_most():
    assert what_is_said(RuntimeError("CUDA error: ECC\nCompile with ...")) == "CUDA error: ECC"
