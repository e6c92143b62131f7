from __future__ import annotations

import pyarrow as pa
import pytest

from gends.pipeline.export.selection import Selection, take_census
from gends.pipeline.reading.condition import parse_condition
from gends.pipeline.reading.reader import DatasetNotFoundError


def keys(root, **selection) -> list[str]:
    return pa.concat_tables(Selection(**selection).rows(root, ["key"]))["key"].to_pylist()


def test_everything_by_default(finished, rows):
    assert keys(finished.store.root) == list(rows)
    assert take_census(finished.store.root, Selection()).num_pairs == len(rows)


def test_selects_by_columns(finished, rows):
    found = keys(
        finished.store.root,
        degradations=("rain", "haze"),
        splits=("train",),
        where=(parse_condition("mu>=0.05"), parse_condition("mu<0.2")),
    )
    assert found == [
        row["key"]
        for row in rows.values()
        if row["degradation"] in ("rain", "haze")
        and row["split"] == "train"
        and 0.05 <= row["mu"] < 0.2
    ]
    assert found


@pytest.mark.parametrize("limit", [1, 9, 13, 1000])
def test_a_limit_counts_over_shards(finished, rows, limit):
    assert keys(finished.store.root, limit=limit) == list(rows)[:limit]


def test_a_census_tells_selections_apart(finished):
    root = finished.store.root
    digests = {
        take_census(root, selection).keys_blake3
        for selection in (Selection(), Selection(limit=3), Selection(splits=("test",)))
    }
    assert len(digests) == 3


def test_names_that_no_pair_has_are_a_mistake(finished):
    with pytest.raises(ValueError, match=r"no pair with split \['val'\]; there are \['test', 'tra"):
        take_census(finished.store.root, Selection(splits=("test", "val")))
    with pytest.raises(ValueError, match=r"no accepted pair is left by .*mu>2"):
        take_census(finished.store.root, Selection(where=(parse_condition("mu>2"),)))


def test_no_dataset_is_said(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no shard to read yet"):
        take_census(tmp_path, Selection())
