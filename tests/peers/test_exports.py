"""Other people's libraries read what `gends-build export` writes, and get our pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import datasets
import lmdb
import numpy as np
import pandas
import pytest
import wids
from PIL import Image as Pillow

from gends.pipeline.export.formats import export
from gends.pipeline.export.selection import Selection
from gends.pipeline.export.wids import write_wids
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

Pairs = dict[str, dict]


@pytest.fixture(scope="module")
def pairs(finished: Dataset) -> Pairs:
    """Accepted rows by key, with `gt` and `lq` as uint8 (H, W, 3) RGB."""
    reader = ShardReader(finished.store.root)
    return {
        row["key"]: row | read_pictures(reader, row)
        for row in read_manifest(finished.store.root).to_pylist()
    }


@pytest.fixture(scope="module")
def exported(finished: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """(format) -> folder of the whole dataset."""

    def run(name: str) -> Path:
        out = tmp_path_factory.mktemp(name) / "out"
        export(name, finished.store.root, out, selection=Selection())
        return out

    return run


def test_lmdb_and_cv2_as_basicsr_uses_them(exported, pairs):
    out = exported("basicsr-lmdb")
    for part in ("gt", "lq"):
        folder = out / f"{part}.lmdb"
        # BasicSR's own way: the key is all before the first dot of a line.
        lines = (folder / "meta_info.txt").read_text("ascii").splitlines()
        keys = [line.split(".")[0] for line in lines]
        assert sorted(keys) == sorted(pairs)
        with (
            lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as database,
            database.begin(write=False) as transaction,
        ):
            for key in keys:
                data = np.frombuffer(transaction.get(key.encode("ascii")), np.uint8)
                picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
                np.testing.assert_array_equal(picture[..., ::-1], pairs[key][part])


def test_hugging_face_datasets(exported, pairs, tmp_path):
    table = datasets.load_dataset(str(exported("huggingface")), cache_dir=str(tmp_path))
    assert set(table) == {"train", "test"}
    assert isinstance(table["train"].features["lq"], datasets.Image)
    seen = []
    for split, samples in table.items():
        for sample in samples:
            row = pairs[sample["key"]]
            assert row["split"] == split
            seen.append(sample["key"])
            for part in ("gt", "lq"):
                np.testing.assert_array_equal(np.asarray(sample[part]), row[part])
            for name in ("degradation", "mu", "caption", "seed", "random_sampled"):
                assert sample[name] == pytest.approx(row[name]) or sample[name] == row[name]
    assert sorted(seen) == sorted(pairs)


def test_diff_plugins_use_of_datasets(exported, pairs, tmp_path):
    out = exported("diffplugin")
    task = "snow"
    table = datasets.load_dataset("csv", data_files=[str(out / f"{task}.csv")], cache_dir=tmp_path)
    samples = table["train"]
    # Its code: by name where paths are completed, by position where pixels are taken.
    for name in ("image", "conditioning_image"):
        samples = samples.map(lambda row, name=name: {name: str(out / row[name])})
        samples = samples.cast_column(name, datasets.Image())
    clean, degraded = samples.column_names[0], samples.column_names[1]
    expected = [row for row in pairs.values() if row["degradation"] == task]
    assert len(samples) == len(expected)
    for sample, row in zip(samples, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(sample[clean].convert("RGB")), row["gt"])
        np.testing.assert_array_equal(np.asarray(sample[degraded].convert("RGB")), row["lq"])


def test_da_clips_listing_and_its_use_of_pandas(exported, pairs):
    out = exported("daclip")
    num_pairs = 0
    for word in sorted(path.name for path in (out / "train").iterdir()):
        listings = [sorted((out / "train" / word / part).iterdir()) for part in ("GT", "LQ")]
        for clean, degraded in zip(*listings, strict=True):
            row = pairs[clean.stem]
            for path, part in ((clean, "gt"), (degraded, "lq")):
                picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
                np.testing.assert_array_equal(picture[..., ::-1], row[part])
            num_pairs += 1
    assert num_pairs == sum(row["split"] == "train" for row in pairs.values())
    table = pandas.read_csv(out / "daclip_train.csv", sep="\t")
    assert list(table.columns) == ["filepath", "title"]
    for path, title in zip(table["filepath"], table["title"], strict=True):
        caption, word = str(title).split(": ")
        row = pairs[Path(path).stem]
        assert (caption, Path(path).parts[-3]) == (row["caption"], word)
        with Pillow.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), row["lq"])


def test_basicsrs_list_of_a_folder(exported, pairs):
    out = exported("folder")
    for degradation in {row["degradation"] for row in pairs.values()}:
        folder = out / degradation
        lines = (folder / "meta_info.txt").read_text().splitlines()
        names = [line.strip().split(" ")[0] for line in lines]
        assert len(names) == sum(row["degradation"] == degradation for row in pairs.values())
        for name in names:
            for part in ("gt", "lq"):
                picture = cv2.imread(str(folder / part / name))
                np.testing.assert_array_equal(picture[..., ::-1], pairs[name[:-4]][part])


# It leaves its files to the collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wids(copied, pairs, tmp_path):
    file = copied.store.root / "wids.json"
    write_wids(copied.store.root, file)
    samples = wids.ShardListDataset(
        str(file), cache_dir=str(tmp_path / "cache"), transformations=[], keep=True
    )
    assert len(samples) == len(pairs)
    for index in range(len(samples)):
        sample = samples[index]
        row = pairs[sample["__key__"]]
        for part in ("gt", "lq"):
            picture = np.asarray(Pillow.open(sample[f".{part}.png"]))
            np.testing.assert_array_equal(picture, row[part])
    samples.close()
