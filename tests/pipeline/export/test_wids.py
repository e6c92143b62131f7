from __future__ import annotations

import json
import os

import pytest

from gends.pipeline.export.wids import write_wids
from gends.pipeline.reading.reader import DatasetNotFoundError


def test_an_index_beside_the_shards_moves_with_them(copied, tmp_path, rows):
    file = copied.store.root / "wids.json"
    assert write_wids(copied.store.root, file).num_pairs == len(rows)
    index = json.loads(file.read_text())
    assert index["wids_version"] == 1
    assert sum(shard["nsamples"] for shard in index["shardlist"]) == len(rows)
    os.rename(copied.store.root, tmp_path / "moved")
    for shard in index["shardlist"]:
        assert (tmp_path / "moved" / shard["url"]).stat().st_size == shard["filesize"]


def test_shards_of_a_bucket_are_named_by_their_url(bucket, copied, tmp_path):
    from gends.pipeline.storage.opening import open_store  # noqa: PLC0415

    store = open_store(bucket)
    for name in ("dataset.json", "manifest/000000.parquet"):
        with store.publish(name) as file:
            file.write(copied.store.read(name))
    write_wids(bucket, tmp_path / "wids.json")
    (shard,) = json.loads((tmp_path / "wids.json").read_text())["shardlist"]
    assert shard["url"] == f"{bucket}/shards/000000.tar"


def test_the_same_index_again_is_left_as_it_is(copied, tmp_path, rows):
    file = tmp_path / "wids.json"
    first = write_wids(copied.store.root, file)
    before = file.stat()
    again = write_wids(copied.store.root, file)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.num_pairs == len(rows)
    assert file.stat() == before


def test_nothing_is_overwritten(copied, tmp_path):
    file, folder, link = (tmp_path / name for name in ("wids.json", "folder", "link"))
    file.write_text("mine")
    folder.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    for place in (file, folder, link):
        with pytest.raises(FileExistsError, match="is there already, and not the index of these"):
            write_wids(copied.store.root, place)
    assert file.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "copied",
        "folder",
        "link",
        "wids.json",
    ]


def test_a_path_that_reads_as_more_than_a_path_is_refused(copied, tmp_path):
    os.rename(copied.store.root, tmp_path / "a#b")
    with pytest.raises(ValueError, match="wids would read more into this path"):
        write_wids(tmp_path / "a#b", tmp_path / "wids.json")
    assert write_wids(tmp_path / "a#b", tmp_path / "a#b" / "wids.json").fresh


def test_no_dataset_is_said(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no sealed shard"):
        write_wids(tmp_path, tmp_path / "wids.json")
