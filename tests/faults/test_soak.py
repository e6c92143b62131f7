"""A build that is killed again and again: `make soak` kills 200 times, `make test` a few."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from assault import KINDS, assault
from witness import Witness, published

from gends.pipeline.dataset import Dataset, open_dataset
from gends.pipeline.faults import VARIABLE
from gends.pipeline.reader import read_manifest
from gends.pipeline.store import open_store

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS: dict[str, Any] = {
    "clean_dataset": "photos",
    "engine": "dry",
    "resolution": 64,
    "unit_images": 1,
    "shard_size": 384,
    "replicas": 16,
    "redraws": 1,
    "seed": 5,
}
IN_FLIGHT = 3
"""Units for each worker."""


@pytest.fixture(scope="module")
def clean(pytestconfig: pytest.Config, crops: Callable[[Iterable[str]], Path]) -> Path:
    folder = pytestconfig.getoption("soak_photos")
    return Path(folder) if folder else crops(f"{index:02d}.png" for index in range(24))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_build_survives_a_series_of_kills(
    clean: Path, build_dataset: Callable[..., Dataset], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills, seed = pytestconfig.getoption("soak_kills"), pytestconfig.getoption("soak_seed")
    whole = build_dataset(clean, tmp_path / "whole", **SETTINGS)
    root, calls = tmp_path / "killed", tmp_path / "calls"
    calls.mkdir()
    rng = random.Random(seed)
    kinds = [KINDS[index % len(KINDS)] for index in range(kills)]
    rng.shuffle(kinds)
    workers: list[int] = []

    def start() -> subprocess.Popen[str]:
        workers.append(rng.choice([1, 2, 4]))
        return _start(clean, root, workers[-1], calls)

    witness = Witness(open_store(root), pause=0.05)
    witness.start()
    losses = assault(start, lambda: _made(root), kinds, rng, pause=0.5)
    witness.end()

    facts = vars(losses) | _compare(root, whole) | {"torn": len(witness.torn)}
    units = sum(whole.plan.num_units(shard) for shard in range(whole.plan.num_shards))
    facts["units"] = units
    facts["units_made"] = len(list(calls.iterdir()))
    _report(pytestconfig, facts | {"workers": dict(Counter(workers))})
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert facts["lost"] == facts["doubled"] == facts["files_different"] == 0
    assert facts["failed"] == 0
    assert not list((root / "work").iterdir())
    # A kill takes from every worker of the session at most what is in flight.
    assert units <= facts["units_made"] <= units + kills * IN_FLIGHT * max(workers)


def _start(clean: Path, root: Path, workers: int, calls: Path) -> subprocess.Popen[str]:
    flags = SETTINGS | {"clean": clean, "out": root, "workers": workers}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    environment = {"OMP_NUM_THREADS": "1", VARIABLE: f"degrade:0:kill:{calls}"}
    with open(root.with_name("log"), "a", encoding="utf-8") as log:
        return subprocess.Popen(
            [str(PROGRAM), "run", *options],
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
            env=os.environ | environment,
        )


def _made(root: Path) -> int:
    return hash(tuple(root.glob("work/*/[!.]*")) + tuple(root.glob("manifest/[!.]*")))


def _compare(root: Path, whole: Dataset) -> dict[str, int]:
    rows = read_manifest(root, status=None, columns=["key", "status"])
    keys = Counter(rows["key"].to_pylist())
    wanted = set(read_manifest(whole.store.url, status=None, columns=["key"])["key"].to_pylist())
    ours, theirs = published(open_dataset(root).store), published(whole.store)
    return {
        "requests": len(wanted),
        "lost": len(wanted - keys.keys()),
        "doubled": keys.total() - len(keys),
        "failed": rows["status"].to_pylist().count("failed"),
        "files": len(theirs),
        "files_different": sum(ours.get(name) != theirs.get(name) for name in ours | theirs),
    }


def _report(pytestconfig: pytest.Config, facts: dict[str, Any]) -> None:
    path = pytestconfig.getoption("soak_report")
    if path:
        Path(path).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for name, value in facts.items():
        print(f"{name:>18}  {value}")
