from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from gends.pipeline.export import basicsr_lmdb
from gends.pipeline.storage.store import StorageError


def test_lists_name_shape_and_level(exported, rows):
    out, _ = exported("basicsr-lmdb", splits=("train",))
    lists = [(out / f"{part}.lmdb" / "meta_info.txt").read_text() for part in ("gt", "lq")]
    assert lists[0] == lists[1]
    keys = [key for key, row in rows.items() if row["split"] == "train"]
    assert lists[0].splitlines() == [f"{key}.png (64,64,3) 1" for key in keys]
    for part in ("gt", "lq"):
        names = {path.name for path in (out / f"{part}.lmdb").iterdir()}
        assert names == {"data.mdb", "lock.mdb", "meta_info.txt"}


def test_many_commits_lose_nothing(exported, rows, monkeypatch):
    lmdb = pytest.importorskip("lmdb")
    monkeypatch.setattr(basicsr_lmdb, "PAIRS_PER_COMMIT", 5)
    out, _ = exported("basicsr-lmdb", limit=20)
    with lmdb.open(str(out / "gt.lmdb"), readonly=True, lock=False) as database:
        assert database.stat()["entries"] == 20


def test_a_missing_library_is_named(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ValueError, match=r"pip install 'gends\[export\]'"):
        exported("basicsr-lmdb")
    assert not list(tmp_path.iterdir())


def test_a_map_that_is_too_small_grows(exported, rows, monkeypatch):
    lmdb = pytest.importorskip("lmdb")
    monkeypatch.setattr(basicsr_lmdb, "MAP_SIZE", 1 << 17)
    out, _ = exported("basicsr-lmdb")
    for part in ("gt", "lq"):
        with lmdb.open(str(out / f"{part}.lmdb"), readonly=True, lock=False) as database:
            assert database.info()["map_size"] > 1 << 17
            with database.begin() as transaction:
                found = {key.decode() for key, _ in transaction.cursor()}
        assert found == set(rows)
        assert len((out / f"{part}.lmdb" / "meta_info.txt").read_text().splitlines()) == len(rows)


def test_a_process_without_address_space_is_told_so(exported, tmp_path):
    pytest.importorskip("lmdb")
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), before[1]))
    try:
        with pytest.raises(StorageError, match="ulimit -v"):
            exported("basicsr-lmdb")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert not list(tmp_path.iterdir())
