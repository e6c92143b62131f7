from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from gends import GrowingStream, PairDataset
from gends.pipeline.format.damage import DamagedPairWarning
from gends.pipeline.format.manifest import ManifestError, manifest_name, sealed_shards
from gends.pipeline.reading.reader import read_manifest
from gends.reading.rows import Root, RowFilter, listed


@pytest.fixture(scope="module")
def root(finished):
    return finished.store.root


@pytest.fixture(scope="module")
def rows(root):
    return read_manifest(root).to_pylist()


@pytest.fixture(scope="module")
def other(photos, build_dataset, tmp_path_factory):
    """Another dataset of the same photographs, two degradations of smaller pictures."""
    path = tmp_path_factory.mktemp("other") / "root"
    build_dataset(photos, path, degradations=["haze", "rain"], resolution=32, min_side=32)
    return path


def test_roots_come_in_three_forms(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert listed("a") == [Root(a)]
    assert listed(["a", "s3://b/c"]) == [Root(a), Root("s3://b/c")]
    assert listed({"original": "a", "generated": ["b", "c"]}) == [
        Root(a, "original"),
        Root(b, "generated"),
        Root(c, "generated"),
    ]
    for none in ([], {}, {"original": []}):
        with pytest.raises(ValueError, match="no root to read from"):
            listed(none)
    for other in ("a/b/", "./a/b", "a/c/../b", Path("a/b").absolute()):
        with pytest.raises(
            ValueError, match=r"a/b.*: listed twice; to draw more of a root, give a"
        ):
            listed({"original": "a/b", "generated": other})
    with pytest.raises(ValueError, match="s3://b/c/: listed twice"):
        listed(["s3://b/c", "s3://b/c/"])


def test_several_roots_are_one_dataset(root, other, rows):
    both = PairDataset([root, str(other)])
    parts = [PairDataset(root), PairDataset(other)]
    assert len(both) == sum(map(len, parts))
    for index in (0, len(rows) - 1, len(rows), len(both) - 1):
        part, place = (0, index) if index < len(rows) else (1, index - len(rows))
        wanted = parts[part][place]
        assert both[index]["key"] == wanted["key"]
        assert np.array_equal(both[index]["lq"], wanted["lq"])
    assert both[0]["gt"].shape == (64, 64, 3)
    assert both[-1]["gt"].shape == (32, 32, 3)
    assert len(pickle.loads(pickle.dumps(both))) == len(both)
    # A degradation needs to be in one of them only.
    assert len(PairDataset([root, other], degradations=["snow"])) == len(
        PairDataset(root, degradations=["snow"])
    )


def test_names_of_roots_are_origins(root, other):
    named = {"original": root, "generated": other}
    dataset = PairDataset(named)
    assert dataset.rows["origin"].to_pylist() == ["original"] * len(PairDataset(root)) + [
        "generated"
    ] * len(PairDataset(other))
    assert len(PairDataset(named, origins=["original"])) == len(PairDataset(root))
    assert len(PairDataset([root, other], origins="generated")) == len(dataset)
    with pytest.raises(ValueError, match=r"no pair with origin \['original'\]; .*\['generated'\]"):
        PairDataset([root, other], origins=["original"])


def test_to_ask_for_nothing_is_an_error_and_no_empty_dataset(root):
    with pytest.raises(ValueError, match="degradations is empty, so no pair is left: None keeps"):
        PairDataset(root, degradations=[])
    with pytest.raises(ValueError, match="origins is empty"):
        PairDataset(root, origins=())


@pytest.mark.parametrize("index", ["haze", None, slice(0, 3)])
def test_an_index_is_a_number(root, index):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        PairDataset(root)[index]


def test_severity_is_a_range_of_measured_mu(root, rows):
    low, high = np.quantile([row["mu"] for row in rows], [0.3, 0.6])
    found = PairDataset(root, severity=(low, high)).rows
    expected = [row["key"] for row in rows if low <= row["mu"] <= high]
    assert found["key"].to_pylist() == expected
    assert 0 < len(expected) < len(rows)
    with pytest.raises(ValueError, match=r"no pair with severity \(2, 3\); mu is in \[0\."):
        PairDataset(root, severity=(2, 3))
    for wrong in ((0.3, 0.2), (float("nan"), 1), 0.1, (), (0.1,), "01", (0, "1")):
        says = f"severity must be (low, high) of mu, got {wrong!r}"
        with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
            PairDataset(root, severity=wrong)


@pytest.mark.parametrize(
    ("where", "test"),
    [
        (pc.field("caption").is_valid(), lambda row: row["caption"] is not None),
        (
            (pc.field("source_dataset") == "skimage") & (pc.field("sigma") > pc.field("mu") * 0.5),
            lambda row: row["source_dataset"] == "skimage" and row["sigma"] > row["mu"] * 0.5,
        ),
        (
            pc.starts_with(pc.field("source_uri"), "coffee"),
            lambda row: row["source_uri"].startswith("coffee"),
        ),
    ],
)
def test_an_expression_over_any_column_chooses_rows(root, rows, where, test):
    expected = [row["key"] for row in rows if test(row)]
    assert PairDataset(root, where=where).rows["key"].to_pylist() == expected
    assert 0 < len(expected) < len(rows)
    following = GrowingStream(root, where=where, poll=0.01, shuffle=False)
    assert [item["key"] for item in following] == expected


def test_expressions_that_make_no_sense_say_what_there_is(root):
    with pytest.raises(
        ValueError, match=r"No match for FieldRef.Name.colour.*the columns are key,"
    ):
        PairDataset(root, where=pc.field("colour") == "red")
    with pytest.raises(ValueError, match=r"where=.*the columns are key,"):
        PairDataset(root, where=pc.field("mu") == "red")
    with pytest.raises(ValueError, match=r"where=mu: .* mu evaluates to float; the columns are"):
        PairDataset(root, where=pc.field("mu"))
    with pytest.raises(ValueError, match="where must be an expression such as"):
        PairDataset(root, where="mu > 0.1")
    with pytest.raises(ValueError, match="no pair with where="):
        PairDataset(root, where=pc.field("mu") > 3)


def test_rows_are_chosen_before_any_picture_is_read(copied):
    shutil.rmtree(copied.store.path("shards"))
    dataset = PairDataset(copied.store.root, where=pc.field("width") == 64, severity=(0, 1))
    assert len(dataset) > 20


def test_a_shard_with_a_damaged_manifest_is_left_out_if_asked(copied):
    root, path = copied.store.root, copied.store.path(manifest_name(1))
    whole = PairDataset(root)
    wanted = [row["key"] for row in whole.rows.to_pylist() if row["shard"] != 1]
    assert 0 < len(wanted) < len(whole)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ManifestError, match=r"000001\.parquet: unreadable"):
        PairDataset(root)
    for _ in range(2):
        with pytest.warns(DamagedPairWarning, match=r"skipped .*000001\.parquet: unreadable"):
            dataset = PairDataset(root, on_damage="skip")
        assert dataset.damaged == 1
        assert dataset.rows["key"].to_pylist() == wanted
    for shard in sealed_shards(copied.store):
        copied.store.path(manifest_name(shard)).write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match=r"000000\.parquet: unreadable"):
        PairDataset(root, on_damage="skip")


def test_following_passes_over_a_damaged_manifest_once(copied):
    root, path = copied.store.root, copied.store.path(manifest_name(1))
    wanted = {row["key"] for row in PairDataset(root).rows.to_pylist() if row["shard"] != 1}
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ManifestError, match=r"000001\.parquet"):
        list(GrowingStream(root, poll=0.01, timeout=60))
    stream = GrowingStream(root, poll=0.01, timeout=60, on_damage="skip")
    with pytest.warns(DamagedPairWarning, match=r"skipped .*000001\.parquet") as caught:
        found = [item["key"] for item in stream]
    assert len(caught) == stream.damaged == 1
    assert sorted(found) == sorted(wanted)


def test_a_growing_stream_reads_one_root_without_a_mix(root, other):
    with pytest.raises(ValueError, match="a growing stream reads one root, got 2"):
        GrowingStream([root, other])
    with pytest.raises(TypeError, match="unexpected keyword argument 'mix'"):
        GrowingStream(root, mix="gends")


def test_a_selection_need_not_find_anything_if_it_is_not_strict(root):
    selection = RowFilter(severity=(2, 3), degradations=["fog"])
    assert len(selection.read([Root(root)], strict=False)) == 0
