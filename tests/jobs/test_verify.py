from __future__ import annotations

from gends.pipeline.manifest import shard_name


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
