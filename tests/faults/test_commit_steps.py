"""`kill -9` at every step of the commit protocol, on a disk and on an object store.

A reader looks at the root all the time and opens whatever it sees.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from witness import Witness, published

from gends.pipeline.dataset import open_dataset
from gends.pipeline.faults import VARIABLE
from gends.pipeline.manifest import sealed_shards
from gends.pipeline.store import Store, open_store

SCRIPT = Path(__file__).with_name("resume.py")
ON_DISK = ("begun", "written", "synced", "named")
IN_BUCKETS = ("begun", "written", "named")
PATIENCE = "0.5"


def start(url: str, fault: str | None = None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if fault is not None:
        environment[VARIABLE] = fault
    command = [sys.executable, str(SCRIPT), url, PATIENCE]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def made_by(process: subprocess.Popen[str]) -> int:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return int(output)


def upload(root: Path, url: str) -> None:
    store = open_store(url)
    for path in root.iterdir():
        if path.is_file():
            with store.publish(path.name) as file:
                file.write(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_killed_at_every_step_nothing_is_torn_lost_or_doubled(
    kind, photos, found_dataset, build_dataset, tmp_path, request
):
    whole = build_dataset(photos, tmp_path / "whole")
    founded = found_dataset(photos, tmp_path / "killed")
    url = str(founded.store.root)
    if kind == "s3":
        url = request.getfixturevalue("bucket")
        upload(founded.store.root, url)
    ends = ON_DISK if kind == "disk" else IN_BUCKETS
    steps = [
        f"{folder}.{end}" for folder in ("lease", "work", "shards", "manifest") for end in ends
    ]
    store = open_store(url)
    witness = Witness(open_store(url))
    witness.start()
    for number, step in enumerate([*steps, "seal.sealed"]):
        passes = tmp_path / f"passes-{number}"
        passes.mkdir()
        process = start(url, f"{step}:1:kill:{passes}")
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, f"{step} was never reached"
    units = sum(whole.plan.num_units(shard) for shard in range(whole.plan.num_shards))
    shards = sealed_shards(store)
    left = sum(whole.plan.num_units(s) for s in range(whole.plan.num_shards) if s not in shards)
    durable = sum(len(store.names(f"work/{name}")) for name in store.names("work"))
    made = made_by(start(url))
    assert 0 < made <= left <= units
    assert made + durable >= left
    witness.end()
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert published(store) == published(whole.store)
    assert store.names("work") == []
    assert store.names("lease") == []
    assert open_dataset(url).plan.num_shards == whole.plan.num_shards


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_a_zombie_that_wakes_up_publishes_nothing(kind, photos, found_dataset, tmp_path, request):
    founded = found_dataset(photos, tmp_path / "root")
    url = str(founded.store.root)
    if kind == "s3":
        url = request.getfixturevalue("bucket")
        upload(founded.store.root, url)
    passes = tmp_path / "passes"
    passes.mkdir()
    # Held after its last look at the lease, just before its manifest gets its name.
    zombie = start(url, f"manifest.written:1:hold:{passes}")
    wait_for(passes / "reached")
    refused = start(url)
    assert refused.wait(timeout=60) != 0, "two builds at once"
    zombie.send_signal(signal.SIGSTOP)
    forget_machine(open_store(url))
    made_by(start(url))
    before = published(open_store(url))
    (passes / "go").touch()
    zombie.send_signal(signal.SIGCONT)
    assert zombie.wait(timeout=60) not in (0, None)
    zombie.stdout.close()
    refused.stdout.close()
    assert published(open_store(url)) == before


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


def forget_machine(store: Store) -> None:
    """Make the lease look like that of another machine: its process cannot be asked for."""
    (name,) = (name for name in store.names("lease") if name.endswith(".json"))
    text = store.read(f"lease/{name}").decode()
    with store.publish(f"lease/{name}") as file:
        file.write(text.replace('"host": "', '"host": "other-').encode())
