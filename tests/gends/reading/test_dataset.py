from __future__ import annotations

import errno
import os
import pickle
import resource

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import gends
from gends import PairDataset, PairStream
from gends.pipeline.format import decode as decoding
from gends.pipeline.format.damage import DamagedPairWarning, PairError
from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.reading.reader import (
    DatasetNotFoundError,
    ShardReader,
    read_manifest,
    read_pictures,
)
from gends.pipeline.storage.store import StorageError

# From Python 3.12 on, forking loader workers beside Arrow's threads is worth a warning to Python.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-thread:DeprecationWarning")


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def rows(root):
    return read_manifest(root).to_pylist()


def same(one: dict, other: dict) -> bool:
    images = all(np.array_equal(one[part], other[part]) for part in ("gt", "lq"))
    facts = ("key", "degradation", "mu", "sigma", "caption")
    return images and all(one[name] == other[name] for name in facts)


FACTS = ("key", "degradation", "steps", "mu", "sigma")


def test_items_are_the_accepted_pairs_in_order(root, rows):
    dataset = PairDataset(str(root))
    assert len(dataset) == len(rows) > 20
    reader = ShardReader(root)
    for item, row in zip(dataset, rows, strict=True):
        assert item.keys() == {"gt", "lq", "caption", *FACTS}
        for name in FACTS:
            assert item[name] == row[name]
        assert item["caption"] == (row["caption"] or "")
        lq = decode(reader.read(row["shard"], row["lq_offset"], row["lq_size"]))
        assert np.array_equal(item["lq"], lq)
        assert item["gt"].dtype == np.uint8
        assert item["gt"].shape == (64, 64, 3)
        distance = np.abs(item["lq"] / 255 - item["gt"] / 255)
        assert item["mu"] == pytest.approx(distance.mean(), rel=1e-5)


def test_indices_count_from_both_ends(root):
    dataset = PairDataset(root)
    assert same(dataset[-1], dataset[len(dataset) - 1])
    assert same(dataset[-len(dataset)], dataset[0])
    assert same(dataset[np.int64(3)], dataset[3])
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=f"index {index} of {len(dataset)} pairs"):
            dataset[index]


def test_filters_by_degradation_and_split(root, rows):
    some = PairDataset(root, degradations=["snow", "low_light"])
    expected = [r["key"] for r in rows if r["degradation"] in ("snow", "low_light")]
    assert [item["key"] for item in some] == expected
    test = PairDataset(root, split="test", degradations=("haze",))
    expected = [r["key"] for r in rows if r["split"] == "test" and r["degradation"] == "haze"]
    assert [item["key"] for item in test] == expected
    assert all(key.startswith("rocket") for key in expected)


def test_filters_that_match_nothing_are_a_mistake(root):
    with pytest.raises(ValueError, match=r"no pair with degradation \['fog'\]; there are \['haze'"):
        PairDataset(root, degradations=["haze", "fog"])
    with pytest.raises(ValueError, match=r"no pair with split \['val'\]; .*\['test', 'train'\]"):
        PairDataset(root, split="val")
    with pytest.raises(ValueError, match="no pair with degradation"):
        PairDataset(root, split="test", degradations=["fog"])


def test_no_dataset_is_said(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no shard to read yet"):
        PairDataset(tmp_path)


def test_a_transform_gets_every_item(root):
    dataset = PairDataset(root, transform=lambda item: (item["key"], item["lq"].mean()))
    plain = PairDataset(root)
    assert dataset[2] == (plain[2]["key"], plain[2]["lq"].mean())


@pytest.mark.parametrize("part", ["gt", "lq"])
def test_damaged_bytes_are_never_a_pair(copied, part):
    dataset = PairDataset(copied.store.root)
    row = dataset.rows.slice(3, 1).to_pylist()[0]
    path = copied.store.path(shard_name(row["shard"]))
    data = bytearray(path.read_bytes())
    data[row[f"{part}_offset"] + row[f"{part}_size"] // 2] ^= 1
    path.write_bytes(data)
    where = rf"{row['key']}\.{part} in {shard_name(row['shard'])} at byte {row[f'{part}_offset']}: "
    with pytest.raises(PairError, match=where + ".*not those that the manifest recorded") as caught:
        dataset[3]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(PairError, match=where):
        list(DataLoader(dataset, num_workers=1, timeout=60))
    path.unlink()
    with pytest.raises(PairError, match=rf"{row['key']}\.gt in .*No such file"):
        PairDataset(copied.store.root)[3]


def test_what_this_machine_lacks_is_never_taken_for_damage(root):
    dataset = PairDataset(root, on_damage="skip")
    assert len(dataset[-1]["gt"])  # nothing is imported any more, and one shard is open
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(StorageError, match=r"000000\.tar: Too many open files; .*ulimit -n"):
            list(dataset)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert dataset.damaged == 0
    assert len(list(dataset)) == len(dataset)


def test_bytes_that_are_no_picture_name_their_pair(copied):
    row = read_manifest(copied.store.root).to_pylist()[0] | {"gt_offset": 0, "gt_blake3": None}
    with pytest.raises(PairError, match=rf"{row['key']}\.gt in .* at byte 0: cannot identify"):
        read_pictures(ShardReader(copied.store.root), row)


def test_a_dataset_can_be_pickled(root):
    dataset = PairDataset(root, degradations=["rain"])
    first = dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(copy) == len(dataset)
    assert same(copy[0], first)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_a_loader_with_two_workers(root):
    dataset = PairDataset(root)
    dataset[0]  # a file is open before the workers start
    batches = list(DataLoader(dataset, batch_size=5, num_workers=2, timeout=120))
    keys = [key for batch in batches for key in batch["key"]]
    assert keys == [item["key"] for item in dataset]
    lq = torch.cat([batch["lq"] for batch in batches])
    assert lq.dtype == torch.uint8
    assert np.array_equal(lq.numpy(), np.stack([item["lq"] for item in dataset]))


def test_default_collation_warns_about_nothing(root):
    # Images are writable: torch would warn about memory that is not.
    batch = next(iter(DataLoader(PairDataset(root), batch_size=4, shuffle=False)))
    assert batch["gt"].shape == (4, 64, 64, 3)
    assert batch["mu"].dtype == torch.float64


def test_the_public_names():
    assert gends.PairDataset is PairDataset
    assert set(gends.__all__) == {
        "Augment",
        "Degrade",
        "GrowingLoader",
        "GrowingStream",
        "PairDataset",
        "PairLoader",
        "PairStream",
        "WithMove",
        "__version__",
        "degrade",
    }
    assert all(hasattr(gends, name) for name in gends.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Pairs'"):
        _ = gends.Pairs


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOMEM, errno.ESTALE])
def test_what_the_machine_refuses_is_no_damage_of_the_pair(finished, monkeypatch, number):
    pairs = PairDataset(finished.store.root)

    def refuse(*place):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", refuse)
    with pytest.raises(StorageError, match=os.strerror(number)):
        pairs[0]


def test_a_relative_root_stays_the_same_when_the_process_changes_its_folder(copied, monkeypatch):
    root = copied.store.root
    monkeypatch.chdir(root.parent)
    pairs, stream = PairDataset(root.name), PairStream(root.name, on_damage="skip")
    monkeypatch.chdir("/")
    assert pairs[0]["key"] == PairDataset(root)[0]["key"]
    assert len(list(stream)) == len(stream) == len(pairs)
    stream.dataset.items.reopen()
    assert len(list(stream)) == len(pairs)


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "another folder"])
@pytest.mark.parametrize("on_damage", ["skip", "raise"])
def test_a_root_that_goes_away_is_no_damage(copied, tmp_path, left, on_damage):
    pairs = PairStream(copied.store.root, on_damage=on_damage)
    copied.store.root.rename(tmp_path / "unmounted")
    if left != "nothing":
        copied.store.root.mkdir()
    if left == "another folder":
        (copied.store.root / "shards").mkdir()
    with pytest.raises(StorageError, match="is there no more; mount its disk again"):
        list(pairs)
    assert pairs.dataset.damaged == 0


def test_a_shard_that_is_lost_is_damage(copied):
    copied.store.remove(shard_name(0))
    pairs = PairStream(copied.store.root, on_damage="skip")
    with pytest.warns(DamagedPairWarning):
        assert 0 < len(list(pairs)) < len(pairs)


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOTCONN])
def test_what_the_machine_refuses_is_not_skipped(finished, monkeypatch, number):
    pairs = PairStream(finished.store.root, on_damage="skip")

    def refuse(*place):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", refuse)
    with pytest.raises(StorageError, match=os.strerror(number)):
        list(pairs)
    assert pairs.dataset.damaged == 0


def test_missing_memory_is_no_damage(finished, monkeypatch):
    pairs = PairDataset(finished.store.root)

    def refuse(*arguments):
        raise MemoryError

    monkeypatch.setattr(decoding, "decode_png", refuse)
    with pytest.raises(StorageError, match="Cannot allocate memory"):
        pairs[0]
