"""Other people's readers over a build with masks, bits, grounds and pictures of several sizes."""

from __future__ import annotations

import gc
import io

import datasets
import lmdb
import numpy as np
import pytest
import webdataset
import wids
from PIL import Image as Pillow

from gends import PairDataset
from gends.pipeline.export.formats import export
from gends.pipeline.export.selection import Selection
from gends.pipeline.export.wids import write_wids

MEMBERS = ("mask", "bits", "ground", "ground_lq")


@pytest.fixture(scope="module")
def items(mixed) -> dict[str, dict]:
    """What our reader gives."""
    return {item["key"]: item for item in PairDataset(mixed.store.root, members=MEMBERS)}


@pytest.fixture(scope="module")
def tars(mixed) -> list[str]:
    return sorted(map(str, (mixed.store.root / "shards").iterdir()))


def as_stored(item: dict, part: str) -> np.ndarray:
    """A part as its PNG holds it."""
    if part != "bits":
        return item[part]
    return item["bits"].astype("<u4").view(np.uint8).reshape(*item["bits"].shape, 4)


def check(sample, item, names="{}.png") -> None:
    for part in ("gt", "lq", *MEMBERS):
        picture = sample[names.format(part)]
        if isinstance(picture, bytes):
            picture = Pillow.open(io.BytesIO(picture))
        np.testing.assert_array_equal(np.asarray(picture), as_stored(item, part))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_webdataset(tars, items):
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    gc.collect()
    assert sorted(sample["__key__"] for sample in samples) == sorted(items)
    for sample in samples:
        check(sample, items[sample["__key__"]])
    assert len({item["gt"].shape for item in items.values()}) > 1


@pytest.mark.parametrize("streaming", [False, True])
def test_hugging_face_datasets_over_the_shards(tars, items, tmp_path, streaming):
    samples = datasets.load_dataset(
        "webdataset",
        data_files={"train": tars},
        split="train",
        cache_dir=str(tmp_path),
        streaming=streaming,
    )
    seen = []
    for sample in samples:
        seen.append(sample["__key__"])
        check(sample, items[sample["__key__"]])
        assert sample["json"]["steps"] == items[sample["__key__"]]["steps"]
    assert sorted(seen) == sorted(items)


def test_hugging_face_datasets_over_an_export(mixed, items, tmp_path):
    out = tmp_path / "out"
    export("huggingface", mixed.store.root, out, selection=Selection())
    table = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"), split="train")
    assert isinstance(table.features["mask"], datasets.Image)
    assert len(table) == len(items)
    for sample in table:
        check(sample, items[sample["key"]], "{}")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wids(mixed, items, tmp_path):
    file = tmp_path / "wids.json"
    write_wids(mixed.store.root, file)
    samples = wids.ShardListDataset(
        str(file), cache_dir=str(tmp_path / "cache"), transformations=[], keep=True
    )
    assert len(samples) == len(items)
    for index in range(len(samples)):
        sample = samples[index]
        for part in ("gt", "lq", *MEMBERS):
            picture = np.asarray(Pillow.open(sample[f".{part}.png"]))
            np.testing.assert_array_equal(picture, as_stored(items[sample["__key__"]], part))
    samples.close()


def test_lmdb(mixed, items, tmp_path):
    out = tmp_path / "out"
    export("basicsr-lmdb", mixed.store.root, out, selection=Selection())
    lines = (out / "lq.lmdb" / "meta_info.txt").read_text("ascii").splitlines()
    with (
        lmdb.open(str(out / "lq.lmdb"), readonly=True, lock=False) as database,
        database.begin() as t,
    ):
        for line in lines:
            key = line.split(".")[0]
            picture = np.asarray(Pillow.open(io.BytesIO(t.get(key.encode("ascii")))))
            np.testing.assert_array_equal(picture, items[key]["lq"])
            assert f"({','.join(map(str, picture.shape))})" in line
