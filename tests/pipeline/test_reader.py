from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from gends.pipeline import local_store
from gends.pipeline.manifest import manifest_name, sealed_shards, shard_name
from gends.pipeline.reader import DatasetNotFoundError, ShardReader, read_manifest


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(scope="module")
def places(finished):
    rows = read_manifest(finished.store.root).to_pylist()
    return [(row["shard"], row["lq_offset"], row["lq_size"]) for row in rows]


@pytest.fixture(scope="module")
def expected(finished, places):
    tars = {shard: finished.store.path(shard_name(shard)).read_bytes() for shard, _, _ in places}
    return [tars[shard][offset : offset + size] for shard, offset, size in places]


def test_members_are_read_in_any_order(finished, places, expected):
    reader = ShardReader(finished.store.root)
    assert [reader.read(*place) for place in places] == expected
    assert [reader.read(*place) for place in places[::-1]] == expected[::-1]


def test_a_reader_keeps_few_shards_open_and_closes_them(finished, places, expected, monkeypatch):
    monkeypatch.setattr(local_store, "MOST_OPEN", 2)
    before = open_files()
    reader = ShardReader(finished.store.root)
    one_of_each = {place[0]: (place, data) for place, data in zip(places, expected, strict=True)}
    assert len(one_of_each) > 3
    for place, data in [*one_of_each.values(), *one_of_each.values()]:
        assert reader.read(*place) == data
        assert open_files() <= before + 2
    del reader
    assert open_files() == before


def test_a_reader_travels_without_its_open_files(finished, places, expected):
    reader = ShardReader(finished.store.root)
    reader.read(*places[0])
    copy = pickle.loads(pickle.dumps(reader))
    assert [copy.read(*place) for place in places] == expected


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_reads_for_itself(finished, places, expected):
    reader = ShardReader(finished.store.root)
    reader.read(*places[0])
    child = os.fork()
    if child == 0:
        right = [reader.read(*place) for place in places] == expected
        del reader
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [reader.read(*place) for place in places] == expected


def test_threads_may_share_a_reader(finished, places, expected, monkeypatch):
    monkeypatch.setattr(local_store, "MOST_OPEN", 1)
    reader = ShardReader(finished.store.root)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: reader.read(*place), places * 20))
    assert found == expected * 20


def test_a_short_or_missing_shard_is_named(copied, places):
    shard, offset, size = places[0]
    path = copied.store.path(shard_name(shard))
    os.truncate(path, offset + size - 1)
    with pytest.raises(OSError, match=rf"{size - 1} of {size} bytes at {offset}; .*verify"):
        ShardReader(copied.store.root).read(shard, offset, size)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        ShardReader(copied.store.root).read(shard, offset, size)


def test_the_manifest_by_status_columns_and_shards(finished):
    root = finished.store.root
    everything = read_manifest(root, status=None)
    assert everything.num_rows == finished.plan.num_requests()
    for status in ("accepted", "rejected", "failed"):
        table = read_manifest(root, status=status, columns=["key", "mu"])
        assert table.column_names == ["key", "mu"]
        assert table.num_rows == everything["status"].to_pylist().count(status) > 0
    first = read_manifest(root, status=None, shards=[0])
    assert set(first["shard"].to_pylist()) == {0}
    parts = [read_manifest(root, status=None, shards=[n]) for n in sealed_shards(finished.store)]
    assert sum(part.num_rows for part in parts) == everything.num_rows


def test_a_root_without_shards_is_said(found_dataset, photos, tmp_path):
    dataset = found_dataset(photos, tmp_path / "root")
    for root in (dataset.store.root, tmp_path / "nowhere", str(tmp_path)):
        with pytest.raises(DatasetNotFoundError, match="no shard to read yet"):
            read_manifest(root)


def test_only_manifests_make_shards(copied):
    copied.store.path(manifest_name(0)).unlink()
    foreign = copied.store.path("manifest/notes.parquet")
    foreign.write_text("not ours")
    assert 0 not in set(read_manifest(copied.store.root)["shard"].to_pylist())
