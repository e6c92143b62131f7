from __future__ import annotations

import json

import pyarrow.parquet as pq

from gends.pipeline.format.manifest import manifest_name, shard_name
from gends.pipeline.keeping.commit import work_folder, write_unit
from gends.pipeline.keeping.counts import MOST_FAILURES, count_dataset


def test_every_row_is_counted_once(finished):
    rows = pq.read_table(finished.store.path("manifest")).to_pylist()
    facts = count_dataset(finished)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["in_shards"] == sum(facts["statuses"].values()) == len(rows)
    assert sum(facts["reasons"].values()) == sum(row["status"] != "accepted" for row in rows)
    assert facts["missing"] == facts["in_durable_units"] == 0
    failed = {row["source_uri"] for row in rows if row["status"] == "failed"}
    assert facts["failures"].keys() == failed
    assert 0 < len(failed) < MOST_FAILURES


def test_what_is_durable_and_what_is_missing_adds_up(
    photos, found_dataset, make_units, seal_shard, tmp_path
):
    dataset = found_dataset(photos, tmp_path / "begun")
    empty = count_dataset(dataset)
    assert empty["missing"] == empty["requests"] > 0
    make_units(dataset, dataset.plan.units(0))
    seal_shard(dataset, 0)
    make_units(dataset, [dataset.plan.unit(1, 0)])
    write_unit(dataset.store, 1, 999_999, [])  # of no plan of ours
    facts = count_dataset(dataset)
    assert (facts["shards"]["sealed"], facts["finished"]) == (1, False)
    assert facts["in_durable_units"] == dataset.plan.count_requests(1, 0) > 0
    parts = facts["in_shards"] + facts["in_durable_units"] + facts["missing"]
    assert parts == facts["requests"]


def test_what_is_lost_or_opened_again_is_not_finished(copied):
    assert count_dataset(copied)["finished"]
    (copied.store.path(work_folder(1))).mkdir(parents=True)
    assert not count_dataset(copied)["finished"]
    copied.store.path(shard_name(0)).unlink()
    copied.store.path(manifest_name(2)).unlink()
    assert count_dataset(copied)["lost"] == [shard_name(0), manifest_name(2)]
