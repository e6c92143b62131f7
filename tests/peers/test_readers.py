"""Other people's programs read what we write, and agree with us."""

from __future__ import annotations

import gc
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

import datasets
import duckdb
import numpy as np
import pyarrow.dataset
import pytest
import webdataset
from PIL import Image as Pillow

from gends.models.parametric.engine import ParametricDegrader
from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import RANGES
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.reading.reader import ShardReader, read_manifest


@pytest.fixture(scope="module")
def dataset(build_dataset, photos, tmp_path_factory) -> Dataset:
    """Made by formula, so that recipes of every degradation are in the JSON members."""
    return build_dataset(
        photos,
        tmp_path_factory.mktemp("peers") / "root",
        engine="parametric",
        degrader=ParametricDegrader(candidates=1),
        shard_size=24,
    )


@pytest.fixture(scope="module")
def tars(dataset) -> list[str]:
    return sorted(map(str, (dataset.store.root / "shards").iterdir()))


@pytest.fixture(scope="module")
def pairs(dataset) -> dict[str, dict]:
    """What we read ourselves: rows with their images."""
    reader = ShardReader(dataset.store.root)
    found = {}
    for row in read_manifest(dataset.store.root).to_pylist():
        for part in ("gt", "lq"):
            place = (row[f"{part}_offset"], row[f"{part}_size"])
            row[part] = reader.read(row["shard"], *place)
        found[row["key"]] = row
    assert {row["degradation"] for row in found.values()} == set(dataset.config.degradations)
    return found


def check_facts(facts: dict, row: dict) -> None:
    """A JSON member says what its manifest row says."""
    assert facts.keys() == row.keys() - {*RANGES, "gt", "lq"}
    for name, value in facts.items():
        if name == "metrics":
            assert np.float32(list(value.values())) == pytest.approx([v for _, v in row[name]])
        elif isinstance(value, float):
            assert value == pytest.approx(row[name], rel=1e-6)
        else:
            assert value == row[name]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves closing tars to the collector
def test_webdataset(tars, pairs):
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8"))
    gc.collect()
    assert [sample["__key__"] for sample in samples] == sorted(pairs)
    for sample in samples:
        row = pairs[sample["__key__"]]
        check_facts(sample["json"], row)
        np.testing.assert_array_equal(sample["gt.png"], decode(row["gt"]))
        np.testing.assert_array_equal(sample["lq.png"], decode(row["lq"]))


def test_hugging_face_datasets(tars, pairs):
    stream = datasets.load_dataset(
        "webdataset", data_files={"train": tars}, split="train", streaming=True
    )
    check_samples(list(stream), pairs)


def test_hugging_face_datasets_with_types_as_the_documentation_says(
    dataset, pairs, tmp_path, monkeypatch
):
    page = Path(__file__).parents[2] / "docs" / "dataset-format.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (snippet,) = [one for one in snippets if "datasets" in one]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataset").symlink_to(dataset.store.root)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    names: dict = {}
    exec(snippet, names)
    # Null in all samples, and a text all the same.
    assert {row["reason"] for row in pairs.values()} == {None}
    assert names["pairs"].features["json"]["reason"] == datasets.Value("string")
    check_samples(list(names["pairs"]), pairs)


def check_samples(samples: list[dict], pairs: dict[str, dict]) -> None:
    assert [sample["__key__"] for sample in samples] == sorted(pairs)
    for sample in samples:
        row = pairs[sample["__key__"]]
        assert isinstance(sample["gt.png"], Pillow.Image)
        np.testing.assert_array_equal(np.asarray(sample["gt.png"]), decode(row["gt"]))
        np.testing.assert_array_equal(np.asarray(sample["lq.png"]), decode(row["lq"]))
        check_facts(sample["json"], row)


def test_the_tar_program(tars, pairs, tmp_path):
    listed = []
    for path in tars:
        listing = subprocess.run(["tar", "-tf", path], check=True, capture_output=True, text=True)
        listed += listing.stdout.split()
        subprocess.run(["tar", "-xf", path, "-C", str(tmp_path)], check=True)
    assert listed == [f"{key}.{part}" for key in sorted(pairs) for part in PARTS]
    for key, row in pairs.items():
        assert (tmp_path / f"{key}.lq.png").read_bytes() == row["lq"]
        check_facts(json.loads((tmp_path / f"{key}.json").read_text(encoding="utf-8")), row)


PARTS = ("gt.png", "json", "lq.png")


def test_python_tarfile(tars, pairs):
    with tarfile.open(tars[0]) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
            assert (member.uname, member.gname, member.pax_headers) == ("", "", {})
            assert member.isreg()


def test_pyarrow_sees_the_manifests_as_one_table(dataset):
    table = pyarrow.dataset.dataset(dataset.store.root / "manifest", format="parquet").to_table()
    ours = read_manifest(dataset.store.root, status=None)
    assert table.replace_schema_metadata(None).sort_by("key").equals(ours.sort_by("key"))
    assert table.num_rows == dataset.plan.num_requests()


def test_duckdb_sees_the_manifests_as_one_table(dataset, pairs):
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT key, status, seed, mu, metrics['structure'], lq_offset "
            "FROM read_parquet(?) ORDER BY key",
            [str(dataset.store.root / "manifest" / "*.parquet")],
        ).fetchall()
        counts = connection.execute(
            "SELECT status, count(*) FROM read_parquet(?) GROUP BY status",
            [str(dataset.store.root / "manifest" / "*.parquet")],
        ).fetchall()
    ours = read_manifest(dataset.store.root, status=None).sort_by("key").to_pylist()
    assert found == [
        (
            row["key"],
            row["status"],
            row["seed"],
            row["mu"],
            dict(row["metrics"])["structure"] if row["metrics"] else None,
            row["lq_offset"],
        )
        for row in ours
    ]
    assert dict(counts)["accepted"] == len(pairs)


def test_a_byte_range_is_an_image_by_itself(dataset, pairs):
    row = next(iter(pairs.values()))
    with open(dataset.store.path(f"shards/{row['shard']:06d}.tar"), "rb") as file:
        file.seek(row["lq_offset"])
        data = file.read(row["lq_size"])
    with Pillow.open(io.BytesIO(data)) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (64, 64), "RGB")


def test_readers_need_no_extension_types(dataset):
    kinds = {str(field.type) for field in read_manifest(dataset.store.root).schema}
    plain = {"string", "int32", "int64", "uint64", "float", "bool"}
    assert kinds - plain == {"map<string, float ('metrics')>"}
