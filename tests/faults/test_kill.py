"""`kill -9` a build wherever it is: resumed, it makes the bytes of a build that nobody killed."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from assault import kill_tree
from growing import files_in
from witness import published

from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import Dataset, open_dataset

PROGRAM = Path(sys.executable).with_name("gends-build")
IMAGES, SHARDS = 24, 6
Settings = dict[str, Any]
DRY: Settings = {
    "clean_dataset": "photos",
    "engine": "dry",
    "resolution": 64,
    "unit_images": 1,
    "shard_size": 96,
    "replicas": 4,
    "redraws": 1,
    "seed": 5,
}
PARAMETRIC = DRY | {"engine": "parametric", "shard_size": 24, "replicas": 1}
Start = Callable[[Path, Settings, int], "subprocess.Popen[str]"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(crops: Callable[[Iterable[str]], Path]) -> Path:
    return crops(f"{index:02d}.png" for index in range(IMAGES))


@pytest.fixture
def start(photos: Path) -> Iterator[Start]:
    """(root, settings, workers) -> a build that runs; none is left when the test is over."""
    running = []

    def run(root: Path, settings: Settings, workers: int) -> subprocess.Popen[str]:
        flags = {"clean": photos, "out": root, "workers": workers} | settings
        pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in flags.items()]
        process = subprocess.Popen(
            [PROGRAM, "run", "--json", *itertools.chain.from_iterable(pairs)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            kill_tree(process)
        assert process.stdout is not None
        process.stdout.close()


def finish(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for the end of a build; returns its events."""
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "the build ended before the moment to kill it"
        assert time.monotonic() < deadline, "the moment to kill the build never came"
        time.sleep(0.005)


def sealed(root: Path) -> int:
    return len(list(root.glob("manifest/*.parquet")))


@pytest.mark.timeout(600)
def test_a_killed_build_resumes_to_the_same_bytes(
    photos: Path, start: Start, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    whole = build_dataset(photos, tmp_path / "whole", **DRY)
    killed = tmp_path / "killed"
    moments: list[Callable[[], bool]] = [
        lambda: files_in(killed / "work") != [],
        lambda: sealed(killed) >= 1,
        lambda: sealed(killed) >= SHARDS // 2,
    ]
    for moment in moments:
        process = start(killed, DRY, 1)
        wait_until(process, moment)
        kill_tree(process)
        assert sealed(killed) < SHARDS
    facts = count_dataset(open_dataset(killed))

    events = finish(start(killed, DRY, 3))
    durable = facts["in_shards"] + facts["in_durable_units"]
    assert events[-1]["made_now"] == facts["requests"] - durable, "durable units were made again"
    assert published(open_dataset(killed).store) == published(whole.store)
    assert not list((killed / "work").iterdir())


@pytest.mark.timeout(600)
def test_bytes_depend_neither_on_workers_nor_on_their_deaths(
    photos: Path, start: Start, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    one = build_dataset(photos, tmp_path / "one", degrader=ParametricDegrader(), **PARAMETRIC)

    three = tmp_path / "three"
    process = start(three, PARAMETRIC, 3)
    wait_until(process, lambda: files_in(three / "work") != [])
    tree = psutil.Process(process.pid).children(recursive=True)
    next(each for each in tree if each.name().startswith("ray::Worker")).kill()
    events = finish(process)

    assert events[-1]["statuses"]["failed"] == 0
    assert published(open_dataset(three).store) == published(one.store)
