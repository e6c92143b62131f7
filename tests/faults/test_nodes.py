"""Machines leave a cluster and join it while a build runs."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster
from witness import published

from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.storage.faults import VARIABLE

PROGRAM = Path(sys.executable).with_name("gends-build")
SETTINGS: dict[str, Any] = {
    "clean_dataset": "photos",
    "engine": "dry",
    "resolution": 64,
    "unit_images": 1,
    "shard_size": 24,
    "replicas": 4,
    "redraws": 1,
    "seed": 5,
}


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; from the sixth unit on, engines wait until its file `go` is empty."""
    folder = tmp_path / "hold"
    folder.mkdir()
    (folder / "go").write_text("5", encoding="utf-8")
    # Machines take it from here to their workers.
    monkeypatch.setenv(VARIABLE, f"degrade:every:hold:{folder}")
    return folder


@pytest.fixture
def cluster(hold: Path) -> Iterator[Cluster]:
    """A cluster with the driver's machine, which has room for one process."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_outlives_a_machine_and_uses_a_new_one(
    cluster: Cluster,
    hold: Path,
    crops: Callable[[Iterable[str]], Path],
    build_dataset: Callable[..., Dataset],
    tmp_path: Path,
) -> None:
    clean = crops(f"{index:02d}.png" for index in range(24))
    whole = build_dataset(clean, tmp_path / "whole", **SETTINGS)
    first, second = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2)
    root = tmp_path / "root"
    flags = SETTINGS | {"clean": clean, "out": root, "address": cluster.address, "workers": 3}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    with subprocess.Popen(
        [str(PROGRAM), "run", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        _await(build, (hold / "reached").exists)
        assert _works(first) or _works(second)
        lost = first if _works(first) else second
        cluster.remove_node(lost, allow_graceful=False)  # SIGKILL
        new = cluster.add_node(num_cpus=2)
        # Units that the lost machine broke may be at work there, and leave no room for an engine.
        _await(build, lambda: _works(new, "Worker", "load_unit", "finish_unit", "make_carefully"))
        (hold / "go").write_text("", encoding="utf-8")
        out, err = build.communicate(timeout=300)
    assert build.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert summary["statuses"]["failed"] == 0
    assert published(open_dataset(root).store) == published(whole.store)


def _works(node: Any, *stages: str) -> bool:
    """Whether a machine of the cluster works for the build; without `stages`, holds an engine."""
    raylet = next(each for each in node.live_processes() if each[0] == "raylet")[1]
    names = set()
    for process in psutil.Process(raylet.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            names.add(process.name())
    wanted = tuple(f"ray::{stage}" for stage in stages or ["Worker"])
    return any(name.startswith(wanted) for name in names)


def _await(build: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 480
    while not condition():
        assert build.poll() is None, build.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
