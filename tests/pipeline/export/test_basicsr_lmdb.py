from __future__ import annotations

import sys

import pytest

from gends.pipeline.export import basicsr_lmdb


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
