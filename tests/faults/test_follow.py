"""A trainer reads a dataset while its build runs, is killed with `kill -9`, and is resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from assault import kill_tree

from gends.pipeline.keeping.counts import count_dataset
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.reading.reader import read_manifest

PROGRAM = Path(sys.executable).with_name("gends-build")
SHARDS = 6
SETTINGS = (
    "--clean-dataset=photos --engine=dry --resolution=64 --unit-images=1 --shard-size=96 "
    "--replicas=4 --redraws=1 --seed=5 --workers=1"
)
TRAINER = """
import sys
from operator import itemgetter
from torch.utils.data import DataLoader
from gends import GrowingStream

stream = GrowingStream(
    sys.argv[1], seed=1, poll=0.1, timeout=120, transform=itemgetter("key")
)
for key in DataLoader(stream, batch_size=None, num_workers=2, in_order=False):
    print(key, flush=True)
"""


@pytest.mark.slow
def test_a_trainer_sees_every_pair_once_while_the_build_is_killed(
    crops: Callable[[Iterable[str]], Path], tmp_path: Path
) -> None:
    photos, root = crops(f"{index:02d}.png" for index in range(24)), tmp_path / "root"
    running = []

    def start(command: list[str | Path], output: str) -> subprocess.Popen[str]:
        with open(tmp_path / output, "a", encoding="utf-8") as file:
            process: subprocess.Popen[str] = subprocess.Popen(
                command,
                stdout=file,
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        running.append(process)
        return process

    def build() -> subprocess.Popen[str]:
        return start([PROGRAM, "run", *SETTINGS.split(), "--clean", photos, "--out", root], "build")

    def seen() -> list[str]:
        return (tmp_path / "trainer").read_text(encoding="utf-8").split()

    def sealed() -> int:
        return len(list(root.glob("manifest/*.parquet")))

    try:
        trainer = start([sys.executable, "-c", TRAINER, root], "trainer")
        for shards in (1, SHARDS // 2):
            process = build()
            _wait(lambda shards=shards: sealed() >= shards, process, trainer)
            kill_tree(process)
            assert sealed() < SHARDS, "there is nothing left to wait for"
            # Nobody builds now: what is sealed is read, and then the trainer waits.
            wanted = set(_accepted(root))
            _wait(lambda wanted=wanted: len(seen()) >= len(wanted), trainer)
            assert set(seen()) == wanted
        assert build().wait(timeout=120) == 0
        assert trainer.wait(timeout=120) == 0, seen()
    finally:
        for process in running:
            if process.poll() is None:
                kill_tree(process)

    assert count_dataset(open_dataset(root))["finished"]
    assert sorted(seen()) == sorted(_accepted(root))


def _accepted(root: Path) -> list[str]:
    keys: list[str] = read_manifest(root, columns=["key"])["key"].to_pylist()
    return keys


def _wait(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert all(process.poll() is None for process in processes), "it ended too early"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
