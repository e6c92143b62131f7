"""A disk that fills up stops a build with nothing half-written; with more room it resumes."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from witness import Witness, published

from gends import PairDataset
from gends.pipeline.format.manifest import sealed_shards
from gends.pipeline.keeping.commit import durable_units
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.lease import hold
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import StorageError, Store

PROGRAM = Path(sys.executable).with_name("gends-build")
STEP = 16
"""KiB by which a full disk grows: less than a unit, so that everything meets a full disk."""
ROOMY = 4096
"""KiB with which there is room for all."""


class Disk:
    """A file system in memory, of a size of one's own."""

    def __init__(self, folder: Path, kib: int) -> None:
        folder.mkdir()
        self.folder, self.kib = folder, kib
        _mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder))

    def resize(self, kib: int) -> None:
        self.kib = kib
        _mount("-o", f"remount,size={kib}k", str(self.folder))

    def fill(self) -> None:
        """Leave no room but for what is there."""
        usage = os.statvfs(self.folder)
        used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize // 1024
        self.resize(max(4, used))  # 0 would be no limit

    def hidden(self) -> list[Path]:
        """Files that somebody was writing."""
        return [path for path in self.folder.rglob(".*") if path.is_file()]


def _mount(*arguments: str) -> None:
    ended = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {ended.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk", ROOMY)
    yield made
    gc.collect()  # datasets remove their temporary files
    subprocess.run(["umount", "--lazy", str(made.folder)], check=True)


@pytest.fixture(scope="module")
def whole(photos: Path, build_dataset: Callable[..., Dataset], tmp_path_factory) -> Dataset:
    return build_dataset(photos, tmp_path_factory.mktemp("whole") / "root")


@pytest.fixture
def in_bucket(photos, found_dataset, bucket: str, tmp_path: Path) -> str:
    """URL of a root in a bucket where nothing is made yet."""
    store = open_store(bucket)
    for path in Path(found_dataset(photos, tmp_path / "founded").store.url).iterdir():
        with store.publish(path.name) as file:
            file.write(path.read_bytes())
    return bucket


@pytest.fixture
def go_on(make_units, seal_shard) -> Callable[[str | Path], None]:
    """(root) goes on with a build in this process until it is done."""

    def run(root: str | Path) -> None:
        dataset = open_dataset(root)
        store, plan = dataset.store, dataset.plan
        with hold(store):
            for shard in sorted(set(range(plan.num_shards)) - set(sealed_shards(store))):
                num_units = plan.num_units(shard)
                missing = set(range(num_units)) - durable_units(store, shard, num_units)
                make_units(dataset, [plan.unit(shard, index) for index in sorted(missing)])
                seal_shard(dataset, shard)

    return run


def grow(disk: Disk, root: str | Path, go_on: Callable[[str | Path], None]) -> list[str]:
    """Go on with a build on a full disk that grows a little each time; returns the errors."""
    errors: list[str] = []
    disk.fill()
    while True:
        try:
            go_on(root)
        except StorageError as error:
            errors.append(str(error))
        else:
            print(f"{len(errors)} full disks")
            return errors
        assert not disk.hidden()
        disk.resize(disk.kib + STEP)
        assert disk.kib < ROOMY


def test_every_full_disk_on_the_way_stops_a_build_which_resumes(
    disk, photos, found_dataset, whole, go_on, tmp_path
):
    root = disk.folder / "root"
    shutil.copytree(found_dataset(photos, tmp_path / "founded").store.url, root)
    witness = Witness(open_store(root))
    witness.start()
    errors = grow(disk, root, go_on)
    witness.end()
    assert not witness.torn
    folders = {Path(error.partition(": the disk is full")[0]) for error in errors}
    met = {folder.relative_to(root).parts[0] for folder in folders}
    assert met >= {"lease", "work", "shards"}, errors
    assert published(open_store(root)) == published(whole.store)
    assert open_store(root).names("work") == []


def test_a_full_temporary_folder_stops_a_build_in_a_bucket(
    disk, whole, go_on, in_bucket, monkeypatch
):
    store = open_store(in_bucket)
    witness = Witness(open_store(in_bucket))
    witness.start()
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    errors = grow(disk, in_bucket, go_on)
    witness.end()
    assert not witness.torn
    said = re.compile(
        rf"{disk.folder}: the disk is full \(No space left on device\); {in_bucket}/([a-z]+).* "
        "passes through it: make room, or name another folder in TMPDIR"
    )
    met = [said.fullmatch(error) for error in errors]
    assert all(met), errors
    assert {match[1] for match in met if match} >= {"severity", "work", "shards"}, errors
    assert published(store) == published(whole.store)


def test_a_cache_without_room_is_no_damage(disk, whole):
    dataset = PairDataset(whole.store.root, on_damage="skip", cache=disk.folder)
    disk.fill()
    said = rf"^{disk.folder}: the disk is full .*; make room there, or lower cache_bytes$"
    with pytest.raises(StorageError, match=said):
        list(dataset)
    assert dataset.damaged == 0
    assert not disk.hidden()
    disk.resize(ROOMY)
    assert len(list(dataset)) == len(dataset)


def test_a_catalog_that_cannot_be_sorted_names_the_full_disk(
    disk, photos, found_dataset, tmp_path, monkeypatch
):
    disk.resize(4)
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    said = rf"^{disk.folder}: the disk is full .*: make room, or name another folder in TMPDIR$"
    with pytest.raises(StorageError, match=said):
        found_dataset(photos, tmp_path / "root")
    assert not list(disk.folder.iterdir())


@pytest.mark.slow
@pytest.mark.long
def test_gends_build_names_the_full_disk_and_resumes(disk, photos, whole):
    disk.resize(300)
    root = disk.folder / "root"
    flags = "--engine=dry --resolution=64 --shard-size=12 --unit-images=1 --redraws=1 --seed=3"
    command = [PROGRAM, "run", *flags.split(), "--workers=1", f"--clean={photos}", f"--out={root}"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)

    stopped = run()
    assert stopped.returncode == 1, stopped.stderr
    line = stopped.stderr.splitlines()[-1]
    assert "Traceback" not in stopped.stderr
    assert f" {root}/" in line
    assert "the disk is full (No space left on device); make room there" in line
    assert line.endswith("; the same command resumes")
    assert not disk.hidden()
    assert tars_of(open_store(root)).items() <= tars_of(whole.store).items()
    disk.resize(ROOMY)
    ended = run()
    assert ended.returncode == 0, ended.stderr
    assert tars_of(open_store(root)) == tars_of(whole.store)


def tars_of(store: Store) -> dict[str, bytes]:
    return {name: data for name, data in published(store).items() if name.endswith(".tar")}
