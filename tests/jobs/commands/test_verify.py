from __future__ import annotations

import shutil

from gends.pipeline.format.manifest import manifest_name, shard_name
from gends.pipeline.keeping.counts import count_dataset


def test_a_sound_dataset_exits_0(cli, finished):
    ended = cli("verify", finished.store.root, "--deep")
    assert ended.code == 0
    planned = finished.plan.num_shards
    assert ended.out == f"{planned} of {planned} planned shards checked, no problems\n"


def test_damage_exits_1_and_names_the_file(cli, copied):
    path = copied.store.path(shard_name(0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ended = cli("verify", copied.store.root)
    assert ended.code == 1
    assert f"{shard_name(0)}: checksum differs" in ended.out


def test_a_lost_shard_and_a_foreign_one_do_not_make_up_for_each_other(cli, copied):
    root, planned = copied.store.root, copied.plan.num_shards
    for name in (shard_name, manifest_name):
        copied.store.path(name(2)).unlink()
        shutil.copy(copied.store.path(name(0)), copied.store.path(name(99)))
    facts = count_dataset(copied)
    assert not facts["finished"]
    assert facts["missing"] == copied.plan.count_of_shard(2)
    assert facts["foreign"] == [shard_name(99), manifest_name(99)]
    said = cli("status", root).out
    assert "not finished" in said
    assert f"{shard_name(99)}: not of this dataset" in said
    ended = cli("verify", root)
    assert ended.code == 1
    assert f"{manifest_name(99)}: not in the plan" in ended.out
    assert f"{planned - 1} of {planned} planned shards checked, 2 problems" in ended.out
    assert f"1 not sealed yet: gends-build run --out {root}" in ended.out
