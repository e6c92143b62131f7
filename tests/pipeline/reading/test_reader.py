from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends import PairDataset
from gends.pipeline.format import manifest
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.identity import IDENTITY_NAME, IdentityError
from gends.pipeline.format.manifest import (
    SCHEMA,
    ManifestError,
    facts_of,
    manifest_name,
    numbers,
    sealed_shards,
    shard_name,
)
from gends.pipeline.reading.reader import DatasetNotFoundError, ShardReader, read_manifest
from gends.pipeline.storage import folder as local_store
from gends.pipeline.storage.opening import open_store


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


def test_shards_beyond_the_plan_are_not_read(copied):
    before = read_manifest(copied.store.root, status=None)
    for name in (manifest_name, shard_name):
        shutil.copy(copied.store.path(name(0)), copied.store.path(name(99)))
    assert read_manifest(copied.store.root, status=None).equals(before)
    assert len(PairDataset(copied.store.root)) == before["status"].to_pylist().count("accepted")


def test_manifests_without_their_dataset_are_refused(copied):
    copied.store.path(IDENTITY_NAME).unlink()
    with pytest.raises(IdentityError, match=r"no dataset\.json here"):
        read_manifest(copied.store.root)


def rewritten(dataset, change, facts=None) -> None:
    """Write the first manifest with other rows, or other metadata."""
    path = dataset.store.path(manifest_name(0))
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(next(row for row in rows if row["status"] == "accepted"))
    metadata = facts_of(table.schema) | (facts or {})
    table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shard": 1}, "a row names another shard"),
        ({"shard": -1}, "a row names another shard"),
        ({"status": "fine"}, "a status is none of accepted, rejected, failed"),
        ({"lq_offset": -1}, "a byte range of lq leads outside of the shard"),
        ({"gt_size": -1}, "a byte range of gt leads outside of the shard"),
        ({"gt_offset": None}, "a byte range of gt leads outside of the shard"),
        ({"lq_size": 2**63 - 1}, "a byte range of lq leads outside of the shard"),
        ({"lq_offset": 2**63 - 1, "lq_size": 2**63 - 1}, "a byte range of lq leads outside"),
    ],
)
def test_rows_that_lead_out_of_their_shard_are_refused(copied, change, says):
    rewritten(copied, lambda row: row.update(change))
    with pytest.raises(ManifestError, match=rf"000000\.parquet: {says}.*gends-build verify"):
        read_manifest(copied.store.root, columns=["key"])
    with pytest.raises(ManifestError, match=says):
        PairDataset(copied.store.root)


def test_a_shard_that_claims_to_be_huge_costs_no_memory(copied):
    change = {"lq_size": 2**50}
    rewritten(copied, lambda row: row.update(change), {"shard_size": str(2**55)})
    row = PairDataset(copied.store.root)
    with pytest.raises(OSError, match=rf"no member has {2**50} bytes at .*gends-build verify"):
        list(row)


@pytest.mark.parametrize(("offset", "size"), [(-1, 5), (0, -5), (0, 2**40)])
def test_a_range_that_is_none_is_refused(finished, offset, size):
    with pytest.raises(OSError, match=rf"no member has {size} bytes at {offset}"):
        ShardReader(finished.store.root).read(0, offset, size)


@pytest.mark.parametrize("most", ["MOST_ROWS", "MOST_BYTES"])
def test_a_manifest_of_endless_rows_is_not_read(copied, monkeypatch, most):
    assert read_manifest(copied.store.root).num_rows > 3
    monkeypatch.setattr(manifest, most, 3)
    with pytest.raises(ManifestError, match="more than memory may hold"):
        read_manifest(copied.store.root)


def test_damaged_manifests_name_their_file(copied):
    path = copied.store.path(manifest_name(1))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ManifestError, match=r"000001\.parquet: unreadable.*verify") as caught:
        read_manifest(copied.store.root)
    again = pickle.loads(pickle.dumps(caught.value))  # as loader workers send it
    assert (str(again), again.what) == (str(caught.value), caught.value.what)


@pytest.mark.parametrize("name", ["7.parquet", "0000000.parquet", "٣٣٣٣٣٣.parquet", "9" * 5000])
def test_only_names_that_a_build_gives_are_shards(name):
    assert numbers([name, f"{name}.parquet", "000004.parquet"], ".parquet") == [4]


def test_a_tar_in_a_bucket_that_ends_too_early_is_damage(finished, bucket):
    store, row = open_store(bucket), read_manifest(finished.store.root, shards=[0]).to_pylist()[-1]
    for name in (IDENTITY_NAME, manifest_name(0), shard_name(0)):
        data = finished.store.read(name)
        with store.publish(name) as file:
            file.write(data[:512] if name == shard_name(0) else data)
    with pytest.raises(PairError, match="shorter than its manifest says: run gends-build verify"):
        ShardReader(bucket).read_pair(row)
