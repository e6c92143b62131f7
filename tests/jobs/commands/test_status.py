from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends.pipeline.format.manifest import manifest_name, shard_name
from gends.pipeline.keeping.commit import work_folder, write_unit
from gends.pipeline.keeping.counts import count_dataset


def test_counts_agree_with_the_manifests(cli, finished):
    rows = pq.read_table(finished.store.path("manifest")).to_pylist()
    facts = json.loads(cli("status", finished.store.root, "--json").out)
    assert facts == count_dataset(finished)
    assert facts["finished"]
    assert facts["requests"] == facts["in_shards"] == len(rows)
    assert facts["missing"] == facts["in_durable_units"] == 0
    for status, count in facts["statuses"].items():
        assert count == sum(row["status"] == status for row in rows)
        by_degradation = facts["degradations"].values()
        assert count == sum(counts.get(status, 0) for counts in by_degradation)
    assert sum(facts["reasons"].values()) == len(rows) - facts["statuses"]["accepted"]


def test_failed_photographs_are_named(cli, finished):
    out = cli("status", finished.store.root).out
    assert "words.png: undecodable: " in out
    assert "copy.jpg: duplicate: same bytes as " in out
    assert f"{finished.store.root}: finished" in out


def test_an_unfinished_dataset_says_what_is_missing(
    cli, photos, found_dataset, make_units, seal_shard, tmp_path
):
    dataset = found_dataset(photos, tmp_path / "begun")
    make_units(dataset, dataset.plan.units(0))
    seal_shard(dataset, 0)
    make_units(dataset, [dataset.plan.unit(1, 0)])
    write_unit(dataset.store, 1, 999_999, [])  # of no plan of ours
    facts = count_dataset(dataset)
    assert facts["shards"]["sealed"] == 1
    assert facts["in_durable_units"] == dataset.plan.count_requests(1, 0) > 0
    parts = facts["in_shards"] + facts["in_durable_units"] + facts["missing"]
    assert parts == facts["requests"]
    assert "not finished" in cli("status", dataset.store.root).out


def test_a_manifest_of_another_dataset_is_counted_as_it_is(cli, copied):
    path = copied.store.path(manifest_name(1))
    table = pq.read_table(path)
    index = table.schema.get_field_index("degradation")
    sand = pa.array(["sandstorm"] * len(table)).cast(table.schema.field(index).type)
    pq.write_table(table.set_column(index, table.schema.field(index), sand), path)
    facts = json.loads(cli("status", copied.store.root, "--json").out)
    assert sum(facts["degradations"]["sandstorm"].values()) == len(table)
    assert "sandstorm" in cli("status", copied.store.root).out


def test_a_folder_that_is_no_dataset_is_refused(cli, tmp_path):
    ended = cli("status", tmp_path)
    assert ended.code == 2
    assert "no dataset.json here" in ended.err


@pytest.mark.parametrize("command", ["status", "run"])
def test_a_dataset_without_one_of_its_tars_is_not_finished(cli, copied, command):
    root, name = copied.store.root, shard_name(2)
    copied.store.path(name).unlink()
    place = ("--out", root) if command == "run" else (root,)
    ended = cli(command, *place)
    assert f"{name}: missing; gends-build repair makes it again" in ended.out
    assert f"{root}: damaged" in ended.out or f"{root}: is damaged" in ended.out
    assert ended.code == 1
    facts = json.loads(cli(command, *place, "--json").out)
    assert facts["lost"] == [name]
    assert not facts["finished"]


def test_a_lost_manifest_is_damage_and_not_what_is_missing_yet(cli, copied):
    name = manifest_name(1)
    copied.store.path(name).unlink()
    ended = cli("status", copied.store.root)
    assert ended.code == 1
    assert f"{copied.store.root}: damaged" in ended.out
    assert f"{name}: missing; gends-build repair makes it again" in ended.out


def test_a_dataset_with_a_shard_that_is_to_be_opened_again_is_not_finished(cli, copied):
    (copied.store.path(work_folder(1))).mkdir(parents=True)
    assert not count_dataset(copied)["finished"]
    assert "not finished; gends-build run resumes it" in cli("status", copied.store.root).out


def test_a_name_is_shown_as_it_is(cli, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("file:x:", "[red]run[/red]"):
        shutil.copytree(finished.store.root, name)
        assert cli("status", name).out.startswith(f"{name}: finished\n")


def test_labels_with_several_steps_are_counted_by_these(cli, mixed):
    rows = pq.read_table(mixed.store.path("manifest")).to_pylist()
    facts = json.loads(cli("status", mixed.store.root, "--json").out)
    assert set(facts["steps"]) == {"regions"}
    for steps, statuses in facts["steps"]["regions"].items():
        found = [row["status"] for row in rows if row["steps"] == steps]
        assert {status: found.count(status) for status in set(found)} == statuses
    out = cli("status", mixed.store.root).out
    accepted = facts["degradations"]["regions"]["accepted"]
    assert f"regions, {accepted} accepted by their steps:" in out
    assert all(f"  {steps}\n" in out for steps in facts["steps"]["regions"])
