from __future__ import annotations

import io
import shutil

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from torch.utils.data import DataLoader

from gends import Augment, GrowingStream, PairDataset, PairLoader, PairStream
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.reading.beside import decode_map
from gends.pipeline.reading.reader import ShardReader, read_manifest

MEMBERS = ("mask", "bits", "ground", "ground_lq")


@pytest.fixture(scope="module")
def root(mixed):
    return mixed.store.root


@pytest.fixture(scope="module")
def rows(root):
    return {row["key"]: row for row in read_manifest(root).to_pylist()}


def test_items_have_the_members_that_are_asked_for(root, rows):
    plain = PairDataset(root)[0]
    assert not plain.keys() & set(MEMBERS)
    dataset = PairDataset(root, members=MEMBERS)
    assert len(dataset) == len(rows) >= 9
    reader = ShardReader(root)
    for item in dataset:
        row = rows[item["key"]]
        for part in ("ground", "ground_lq"):
            assert (item[part].dtype, item[part].shape) == (np.uint8, (224, 224, 3))
        assert (item["mask"].dtype, item["bits"].dtype) == (np.uint8, np.uint32)
        assert item["mask"].shape == item["bits"].shape == item["gt"].shape[:2]
        assert item["steps"] == row["steps"]
        data = reader.read_beside(row)
        for part in ("mask", "ground", "ground_lq"):
            with Pillow.open(io.BytesIO(data[part])) as picture:
                assert np.array_equal(item[part], np.asarray(picture))


def test_bits_are_those_of_the_steps(root):
    for item in PairDataset(root, members=["bits", "mask"]):
        steps = {op for region in item["steps"].split("|") for op in region.split("+")}
        labels = {OPERATIONS[op].label for op in steps}
        found = np.bitwise_or.reduce(item["bits"], axis=None)
        assert {n + 1 for n in range(32) if found >> n & 1} == labels
        assert set(np.unique(item["mask"])) <= labels | {0, 255}


@pytest.mark.parametrize("members", ["mask", ("masks",), ("gt",)])
def test_members_that_are_none(root, members):
    with pytest.raises(ValueError, match="members"):
        PairDataset(root, members=members)


def test_a_member_that_no_pair_has_is_said(finished):
    with pytest.raises(ValueError, match=r"no pair has a mask: the build .*`members: \[mask\]`"):
        PairDataset(finished.store.root, members=["mask"])


def test_rows_are_chosen_by_steps(root, rows):
    exact = PairDataset(root, where=pc.field("steps") == "rain+raindrop+noise")
    assert {item["degradation"] for item in exact} == {"weather"}
    some = PairDataset(root, where=pc.match_substring(pc.field("steps"), "haze"))
    assert {i["key"] for i in some} == {k for k, row in rows.items() if "haze" in row["steps"]}
    made = PairDataset(root, where=pc.field("engine") == "parametric", degradations=["regions"])
    assert {item["degradation"] for item in made} == {"regions"}
    with pytest.raises(ValueError, match="no pair with degradation"):
        PairDataset(root, degradations=["sandstorm"])


@pytest.fixture(scope="module")
def drawn(root, rows):
    """A dataset whose reader finds the label map in the blue channel of gt and of lq."""
    dataset = PairDataset(root, members=["mask", "bits"], augment=Augment(crop=(41, 60)))
    reader = dataset.items._readers[0]

    class Drawing:
        is_remote = False

        def read_pair(self, row):
            mask = decode_map("mask", reader.read_beside(row)["mask"])
            found = {}
            for part, data in reader.read_pair(row).items():
                with Pillow.open(io.BytesIO(bytes(data))) as picture:
                    pixels = np.array(picture)
                pixels[..., 2] = mask
                buffer = io.BytesIO()
                Pillow.fromarray(pixels).save(buffer, "PNG")
                found[part] = buffer.getvalue()
            return found

        def read_beside(self, row):
            return reader.read_beside(row)

    dataset.items._readers = [Drawing()]
    return dataset


@given(
    index=st.integers(0, 8),
    crop=st.one_of(st.none(), st.tuples(st.integers(1, 80), st.integers(1, 80))),
    flip=st.booleans(),
    rotate=st.booleans(),
    numbers=st.tuples(st.integers(0, 2**40), st.integers(0, 1000)),
)
def test_masks_move_with_the_pictures(drawn, index, crop, flip, rotate, numbers):
    drawn.items.augment = Augment(crop=crop, flip=flip, rotate=rotate)
    item = drawn.items.finished(drawn.raw(index, numbers))
    assert np.array_equal(item["mask"], item["gt"][..., 2])
    assert np.array_equal(item["mask"], item["lq"][..., 2])
    inside = (item["mask"] > 0) & (item["mask"] < 255)
    shifts = item["mask"].astype(np.uint32) - 1
    assert (item["bits"][inside] >> shifts[inside] & 1).all()
    if crop is not None:
        assert item["mask"].shape == item["bits"].shape == crop


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loaders_stack_members(root, num_workers):
    options = {"members": MEMBERS, "augment": Augment(crop=48, flip=True, rotate=True)}
    stream = PairStream(root, seed=2, preset="tensor", **options)
    one_by_one = {item["key"]: item for item in stream}
    stream.set_epoch(0)
    keys = []
    for batch in PairLoader(stream, batch_size=4, num_workers=num_workers):
        size = len(batch["key"])
        assert batch["mask"].shape == batch["bits"].shape == (size, 48, 48)
        assert batch["ground"].shape == batch["ground_lq"].shape == (size, 3, 224, 224)
        for number, key in enumerate(batch["key"]):
            keys.append(key)
            for part in ("lq", *MEMBERS):
                assert torch.equal(batch[part][number], one_by_one[key][part])
            assert batch["steps"][number] == one_by_one[key]["steps"]
    assert sorted(keys) == sorted(one_by_one)


def test_plain_batches_of_torch(root):
    dataset = PairDataset(root, members=["mask", "ground"], augment=Augment(crop=48, flip=True))
    batch = next(iter(DataLoader(dataset, batch_size=3)))
    assert batch["mask"].shape == (3, 48, 48)
    assert batch["ground"].shape == (3, 224, 224, 3)


def test_growing_streams_have_members(root, rows):
    items = list(GrowingStream(root, members=["mask"], timeout=5))
    assert {item["key"] for item in items} == rows.keys()
    assert all(item["mask"].shape == item["gt"].shape[:2] for item in items)


def test_different_sizes_are_no_batch_and_the_ways_out(root):
    with pytest.raises(ValueError, match=r"different sizes .*Augment\(crop=…\).*collate="):
        list(PairLoader(PairStream(root, shuffle=False), batch_size=9))
    assert len(list(PairLoader(PairStream(root), batch_size=1))) == 9 + 3
    loader = PairLoader(PairStream(root, preset="tensor"), batch_size=5, collate=list)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert len({item["lq"].shape for batch in batches for item in batch}) > 1


def test_a_damaged_mask_is_damage(root, rows, tmp_path):
    copied = shutil.copytree(root, tmp_path / "copied")
    row = rows[sorted(rows)[0]]
    with open(copied / shard_name(row["shard"]), "r+b") as file:
        file.seek(row["mask_offset"] + 20)
        file.write(b"\xff\xff\xff")
    PairDataset(copied)[0]
    with pytest.raises(PairError, match=r"\.mask in shards"):
        PairDataset(copied, members=["mask"])[0]


def test_a_map_of_another_size_is_refused(root, rows):
    dataset = PairDataset(root, members=["mask"])
    row = dataset._row(0)
    with pytest.raises(PairError, match="another size"):
        dataset.items.raw({**row, "height": row["height"] + 1}, None)
