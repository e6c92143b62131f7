"""A photograph that is gone alone fails alone; one that is gone with its disk stops a build."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import tarfile
from pathlib import Path

import pytest
from PIL import Image as Pillow

from gends.pipeline.making.load import load_views
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.sources.source import SourceRow, base_folder, read_source
from gends.pipeline.storage.store import StorageError
from gends.pipeline.types import Failure, Picture, View

CONFIG = BuildConfig(resolution=64)


class Listed:
    """Photographs as they were listed, to be loaded after something has happened to them."""

    def __init__(self, source: Path, catalog: Path, rows: list[SourceRow] | None = None) -> None:
        self.base = base_folder(source)
        listed = read_source(source) if rows is None else rows
        write_catalog(listed, catalog, base=self.base, default_dataset="d", dedupe=False)
        self.catalog = Catalog(catalog)
        self.near = Neighbours(self.catalog.there, self.base)

    def load(self, uri: str) -> Picture | Failure:
        (image,) = (row for row in self.catalog.rows(0, len(self.catalog)) if row.uri == uri)
        view = View(clean=image, crop=None, requests=())
        (loaded,) = load_views([view], self.base, CONFIG, self.near)
        return loaded

    def fails(self, uri: str) -> bool:
        loaded = self.load(uri)
        return isinstance(loaded, Failure) and loaded.code == "unreadable"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Photographs in the source's folder itself and in three below it."""
    root = tmp_path / "tree"
    for number, name in enumerate(("a", "b", "c/1", "c/2", "c/deep/1", "d/alone")):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (70, 70), (number, 0, 0)).save(path)
    return root


@pytest.fixture
def listed(tree: Path, tmp_path: Path) -> Listed:
    return Listed(tree, tmp_path / "catalog")


@pytest.mark.parametrize("uri", ["a.png", "c/1.png", "c/deep/1.png", "d/alone.png"])
def test_a_photograph_that_is_deleted_fails_alone(tree, listed, uri):
    (tree / uri).unlink()
    assert listed.fails(uri)
    assert isinstance(listed.load("b.png"), Picture)


def test_a_photograph_whose_folder_alone_is_gone_fails_where_it_was_alone_there(tree, listed):
    shutil.rmtree(tree / "d")
    assert listed.fails("d/alone.png")


@pytest.mark.parametrize("left", ["nothing", "a file", "another photograph"])
def test_an_empty_mount_point_or_another_disk_under_it_stops(tree, listed, left):
    shutil.rmtree(tree)
    tree.mkdir()
    if left == "a file":
        (tree / "THIS DISK IS NOT MOUNTED").touch()
    elif left == "another photograph":
        Pillow.new("RGB", (70, 70)).save(tree / "other.png")
    says = r"a\.png is not there any more .*neither is any .*mount their disk.*--fail-missing"
    with pytest.raises(StorageError, match=says):
        listed.load("a.png")
    assert not listed.near.any_there()


def test_a_folder_that_is_gone_as_a_whole_stops(tree, listed):
    shutil.rmtree(tree)
    with pytest.raises(StorageError, match="is not there any more"):
        listed.load("c/deep/1.png")


def test_a_part_of_the_tree_that_is_unmounted_stops_and_the_rest_loads(tree, listed):
    shutil.rmtree(tree / "c")
    (tree / "c").mkdir()
    for uri in ("c/1.png", "c/2.png"):
        with pytest.raises(StorageError, match="is not there any more"):
            listed.load(uri)
    assert isinstance(listed.load("a.png"), Picture)
    assert listed.near.any_there()


def test_a_tar_is_one_file_with_many_photographs(tree, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    for name in ("one", "two"):
        with tarfile.open(packed / f"{name}.tar", "w") as tar:
            tar.add(tree / "a.png", "a.png")
            tar.add(tree / "b.png", "b.png")
    listed = Listed(packed, tmp_path / "catalog")
    (packed / "one.tar").unlink()
    assert listed.fails("one.tar!a.png")
    (packed / "two.tar").unlink()
    for uri in ("one.tar!a.png", "two.tar!b.png"):
        with pytest.raises(StorageError, match=r"\.tar is not there any more"):
            listed.load(uri)


def test_what_was_not_there_when_it_was_listed_fails(tree, tmp_path):
    (tree / "list.txt").write_text("a.png\nnever.png\nnor/this.png\n", encoding="utf-8")
    listed = Listed(tree / "list.txt", tmp_path / "catalog")
    (tree / "a.png").unlink()
    assert listed.fails("never.png")
    assert listed.fails("nor/this.png")


def test_without_neighbours_everything_fails_alone(tree, listed):
    shutil.rmtree(tree)
    listed.near = None
    assert listed.fails("a.png")


def test_too_many_open_files_are_no_fault_of_a_photograph(tree, listed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd")))
    spare = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                spare.append(os.open(tree, os.O_RDONLY))
        with pytest.raises(StorageError, match=r"a\.png: Too many open files; .*ulimit -n"):
            listed.load("a.png")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in spare:
            os.close(number)


def test_a_disk_that_fails_is_no_fault_of_a_photograph(tree, listed):
    (tree / "a.png").unlink()
    (tree / "a.png").symlink_to("/proc/self/mem")  # reading its beginning gives EIO
    with pytest.raises(StorageError, match=r"a\.png: Input/output error; see whether its disk"):
        listed.load("a.png")


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENOMEM])
def test_what_a_network_or_memory_does_is_no_fault_of_a_photograph(listed, monkeypatch, number):
    def fail(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(StorageError, match=rf"a\.png: {os.strerror(number)}; "):
        listed.load("a.png")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_no_list_is_made_while_a_disk_fails(tree, tmp_path, monkeypatch, number):
    def fail(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(StorageError, match=os.strerror(number)):
        Listed(tree, tmp_path / "catalog")


def test_a_photograph_in_a_long_list_finds_those_of_its_folder(tmp_path):
    rows = [SourceRow(uri=f"{n % 50:03}/{n}.png", offset=0, size=1) for n in range(10_000)]
    write_catalog(rows, tmp_path / "catalog", base=tmp_path, default_dataset="d", dedupe=False)
    catalog = Catalog(tmp_path / "catalog")
    near = Neighbours(catalog.there, tmp_path)
    error = FileNotFoundError(errno.ENOENT, "gone")
    with pytest.raises(StorageError, match="gone"):
        near.check("007/57.png", error)
    (tmp_path / "007").mkdir()
    (tmp_path / "007" / "9957.png").touch()
    near.check("007/57.png", error)
