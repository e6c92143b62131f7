from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from gends.pipeline.export import huggingface
from gends.pipeline.export.pair import Pair


def test_files_are_cut_by_size_and_groups_by_rows(exported, rows, monkeypatch):
    monkeypatch.setattr(huggingface, "FILE_BYTES", 60_000)
    monkeypatch.setattr(huggingface, "GROUP_PAIRS", 2)
    out, _ = exported("huggingface")
    files = sorted((out / "data").iterdir())
    train = [path for path in files if path.name.startswith("train-")]
    assert [path.name for path in train] == [f"train-{n:05d}.parquet" for n in range(len(train))]
    assert len(train) > 1
    assert pq.ParquetFile(train[0]).metadata.row_group(0).num_rows == 2
    keys = [key for path in files for key in pq.read_table(path)["key"].to_pylist()]
    assert sorted(keys) == sorted(rows)


def test_rows_say_what_the_manifest_says_of_the_pair(exported, rows):
    out, _ = exported("huggingface", limit=7)
    for path in (out / "data").iterdir():
        for found in pq.read_table(path).to_pylist():
            row = rows[found["key"]]
            assert found["lq"]["bytes"] == row["lq_bytes"]
            assert found["gt"]["bytes"] == row["gt_bytes"]
            assert json.loads(found["metrics"]).keys() == dict(row["metrics"]).keys()
            for name in found.keys() - {"gt", "lq", "metrics"}:
                assert found[name] == row[name]


def test_a_split_that_datasets_refuses_is_said(rows, tmp_path):
    row = next(iter(rows.values())) | {"split": "my-split"}
    pair = Pair(row=row, gt=row["gt_bytes"], lq=row["lq_bytes"])
    with pytest.raises(ValueError, match=r"no split called 'my-split'"):
        huggingface.write_huggingface([pair], tmp_path, tmp_path)
