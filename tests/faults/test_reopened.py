"""`repair` and `retry` that are killed while they work: the same command goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from assault import kill_tree
from plain_build import wait_for
from witness import published

from gends.pipeline.format.manifest import manifest_name, shard_name
from gends.pipeline.keeping.commit import work_folder
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import newest_lease
from gends.pipeline.keeping.reopened import Reopened
from gends.pipeline.keeping.retry import failed_shards
from gends.pipeline.storage.faults import VARIABLE

PROGRAM = Path(sys.executable).with_name("gends-build")
NAMES = [f"{index}.png" for index in range(4)]
SETTINGS: dict[str, Any] = {
    "engine": "dry",
    "resolution": 64,
    "unit_images": 1,
    "shard_size": 12,
    "seed": 5,
}

pytestmark = pytest.mark.slow


@pytest.fixture
def clean(crops: Callable[[Iterable[str]], Path], tmp_path: Path) -> Path:
    """Four photographs, of which one is truncated."""
    folder = Path(shutil.copytree(crops(NAMES), tmp_path / "photos"))
    path = folder / "3.png"
    path.write_bytes(path.read_bytes()[:1000])
    return folder


def killed(scratch: Path, *arguments: str | Path) -> None:
    """Run a command and kill it and all its processes while its engine is at work."""
    passes = scratch / f"passes-{arguments[0]}"
    passes.mkdir()
    with subprocess.Popen(
        [PROGRAM, *arguments, "--workers", "1"],
        env=os.environ | {VARIABLE: f"degrade:every:hold:{passes}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_for(passes / "reached")
        kill_tree(process)


def ended(*arguments: str | Path) -> str:
    """What a command says that ends well."""
    done = subprocess.run(
        [PROGRAM, *arguments, "--workers", "1"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_killed_repair_and_a_killed_retry_go_on_when_called_again(
    clean: Path, crops: Any, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    dataset = build_dataset(clean, tmp_path / "root", **SETTINGS)
    store, root, before = dataset.store, dataset.store.root, published(dataset.store)
    ((shard, _),) = failed_shards(dataset, [0, 1], set()).items()
    other = 1 - shard
    tar = bytearray(before[shard_name(other)])
    tar[len(tar) // 2] ^= 1
    store.path(shard_name(other)).write_bytes(tar)

    killed(tmp_path, "repair", root)
    assert not store.exists(manifest_name(other))
    said = ended("repair", root)
    assert "no damaged shard; going on with 1 that are not sealed" in said
    assert f"{shard_name(other)}: made again, to the same bytes" in said
    assert published(store) == before

    shutil.copy(crops(NAMES) / "3.png", clean)
    killed(tmp_path, "retry", root)
    assert not store.exists(manifest_name(shard))
    assert "going on with 1 that are not sealed" in ended("retry", root)
    whole = build_dataset(clean, tmp_path / "whole", **SETTINGS)
    assert published(store) == published(whole.store) != before
    assert store.names("work") == []
    assert "nothing failed in its sealed shards" in ended("retry", root)
    assert not failed_shards(open_dataset(root), [0, 1], set())


def test_a_retry_that_loses_the_root_before_it_begins_ends_in_one_line(
    clean: Path, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    store = build_dataset(clean, tmp_path / "root", **SETTINGS).store
    before, passes = published(store), tmp_path / "passes"
    passes.mkdir()
    with subprocess.Popen(
        [PROGRAM, "retry", store.root],
        env=os.environ | {VARIABLE: f"work.written:1:hold:{passes}"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(passes / "reached")
        lease = newest_lease(store)
        assert lease is not None
        usurper = replace(lease, number=lease.number + 1, holder="x", host="elsewhere")
        store.path(usurper.name).write_text(json.dumps(asdict(usurper)))
        (passes / "go").touch()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was taken over by elsewhere" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert published(store) == before


def test_what_a_killed_repair_did_not_tell_the_next_command_tells(
    clean: Path, build_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    store = build_dataset(clean, tmp_path / "root", **SETTINGS).store
    before = published(store)
    # As a repair leaves it that is killed when it has sealed the shard: its bytes were others once.
    record = asdict(Reopened(shard_blake3="0" * 64, outcome="other"))
    store.path(work_folder(0)).mkdir(parents=True)
    store.path(f"{work_folder(0)}/reopened.json").write_text(json.dumps(record))
    tar = bytearray(before[shard_name(0)])
    tar[len(tar) // 2] ^= 1
    store.path(shard_name(0)).write_bytes(tar)
    done = subprocess.run(
        [PROGRAM, "repair", store.root, "--workers", "1"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert f"{shard_name(0)}: made again, but its bytes differ from those recorded" in done.stderr
    assert "to the same bytes" not in done.stderr, "those of the second time are not what was lost"
    assert done.returncode == 1
    assert published(store) == before
    assert "is finished, nothing to do" in ended("run", "--out", store.root)
