from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from gends.pipeline.export.formats import export
from gends.pipeline.export.selection import Selection
from gends.pipeline.reading.reader import BESIDE, ShardReader, read_manifest


@pytest.fixture(scope="module")
def stored(mixed):
    """Rows by key, and the bytes of what is beside them."""
    reader = ShardReader(mixed.store.root)
    rows = {row["key"]: row for row in read_manifest(mixed.store.root).to_pylist()}
    return rows, {key: reader.read_beside(row) for key, row in rows.items()}


def run(mixed, tmp_path, name, **options):
    out = tmp_path / "out"
    return out, export(name, mixed.store.root, out, selection=Selection(), **options)


def test_folders_have_all_that_is_stored(mixed, stored, tmp_path):
    out, done = run(mixed, tmp_path, "folder")
    rows, beside = stored
    for key, row in rows.items():
        for part in BESIDE:
            path = out / row["degradation"] / part / f"{key}.png"
            assert path.read_bytes() == beside[key][part]
    facts = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert len(facts) == done.num_pairs == len(rows)
    for fact in facts:
        assert (out / fact["mask"]).read_bytes() == beside[fact["key"]]["mask"]
        assert fact["steps"] == rows[fact["key"]]["steps"]
    lines = (out / "weather" / "meta_info.txt").read_text("ascii").splitlines()
    assert len({line.partition(" ")[2] for line in lines}) > 1
    assert not run(mixed, tmp_path, "folder")[1].fresh


def test_only_what_is_asked_for(mixed, tmp_path):
    out, _ = run(mixed, tmp_path, "folder", members=["mask"])
    assert {path.name for path in (out / "weather").iterdir() if path.is_dir()} == {
        "gt",
        "lq",
        "mask",
    }
    with pytest.raises(FileExistsError, match="differs in members"):
        run(mixed, tmp_path, "folder", members=[])


def test_parquet_has_columns_of_members(mixed, stored, tmp_path):
    out, _ = run(mixed, tmp_path, "huggingface", members=["ground_lq", "mask"])
    table = pq.read_table(next((out / "data").glob("*.parquet")))
    assert table.column_names[:4] == ["lq", "gt", "mask", "ground_lq"]
    assert not [name for name in table.column_names if name.endswith("_blake3") and "mask" in name]
    rows, beside = stored
    for row in table.to_pylist():
        assert row["mask"]["bytes"] == beside[row["key"]]["mask"]
        assert row["steps"] == rows[row["key"]]["steps"]


def test_what_no_pair_has_is_said(finished, tmp_path):
    with pytest.raises(ValueError, match=r"no selected pair has a mask.*`members: \[mask\]`"):
        run(finished, tmp_path, "folder", members=["mask"])


@pytest.mark.parametrize("name", ["basicsr-lmdb", "diffplugin"])
def test_formats_without_a_place_for_them(mixed, tmp_path, name):
    with pytest.raises(ValueError, match=f"{name} has no place for mask"):
        run(mixed, tmp_path, name, members=["mask"])
    _, done = run(mixed, tmp_path, name)
    assert done.num_pairs == 12


def test_da_clip_has_no_word_for_a_mixture(mixed, tmp_path):
    with pytest.raises(
        ValueError, match=r"DA-CLIP has no word for the degradation '(regions|weather)'"
    ):
        run(mixed, tmp_path, "daclip")
    drops = Selection(degradations=("raindrop",))
    assert export("daclip", mixed.store.root, tmp_path / "d", selection=drops).num_pairs == 4
