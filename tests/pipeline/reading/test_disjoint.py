from __future__ import annotations

import csv
import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gends import PairDataset
from gends.pipeline.reading.disjoint import SharedSourcesError, refuse_shared, shared_sources
from gends.pipeline.reading.reader import DatasetNotFoundError, read_manifest


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def apart(photos, build_dataset, tmp_path_factory):
    """Datasets of half the photographs each, one of them under other names in another folder."""
    folder = tmp_path_factory.mktemp("apart")
    with open(photos, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"]]
    roots = []
    for name, part in (("left", rows[::2]), ("right", rows[1::2])):
        (folder / name).mkdir()
        for row in part:
            shutil.copy(photos.parent / row["uri"], folder / name / f"as {row['uri']}")
        roots.append(build_dataset(folder / name, folder / f"{name} pairs").store.root)
    return roots


def test_a_photograph_is_known_by_its_content(root, apart):
    left, right = apart
    assert shared_sources([left], [right]) == []
    refuse_shared([left], [right])
    shared = shared_sources([left, right], [root])
    rows = read_manifest(root, columns=["source_blake3", "source_uri"])
    assert [source.source_blake3 for source in shared] == pc.unique(
        rows["source_blake3"]
    ).to_pylist()
    assert all(source.test.startswith(f"{root}: ") for source in shared)
    assert {source.train.split(": ")[0] for source in shared} == {str(left), str(right)}
    assert shared[0].train.split(": ")[1] == "as " + shared[0].test.split(": ")[1]


def test_splits_of_one_dataset_are_apart_unless_both_are_the_same(root):
    assert shared_sources([root], [root], train_split="train", test_split="test") == []
    both = shared_sources([root], [root], test_split="test")
    expected = PairDataset(root, split="test").rows["key"].to_pylist()
    assert len(both) == len({key.split("-")[0] for key in expected}) > 0


def test_the_error_names_photographs_and_counts_the_rest(root, apart):
    with pytest.raises(SharedSourcesError) as caught:
        refuse_shared([root], apart)
    message = str(caught.value)
    shared = shared_sources([root], apart)
    assert message.startswith(f"{len(shared)} photographs to test on are in the training data")
    assert f"{shared[0].test} (in training: {shared[0].train})" in message
    assert f"and {len(shared) - 5} more" in message
    assert "photographs of their own" in message


def test_pairs_of_unknown_origin_are_refused(copied, root):
    path = sorted((copied.store.root / "manifest").iterdir())[0]
    table = pq.read_table(path)
    index = table.schema.get_field_index("source_blake3")
    nothing = pa.nulls(len(table), pa.string())
    path.unlink()
    pq.write_table(table.set_column(index, "source_blake3", nothing), path)
    with pytest.raises(SharedSourcesError, match=r"have no source_blake3"):
        shared_sources([root], [copied.store.root])


def test_a_root_without_shards_is_named(root, tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no shard to read yet"):
        shared_sources([root], [tmp_path])
