"""`kill -9` at every step of the commit protocol, on a disk and on an object store.

A reader looks at the root all the time and opens whatever it sees.
"""

from __future__ import annotations

import signal

import pytest
from plain_build import made_by, start, upload
from witness import Witness, published

from gends.pipeline.format.manifest import sealed_shards
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.lease import newest_lease
from gends.pipeline.storage.opening import open_store

ON_DISK = ("begun", "written", "synced", "checked", "named")
IN_BUCKETS = ("begun", "written", "checked", "named")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_killed_at_every_step_nothing_is_torn_lost_or_doubled(
    kind, photos, found_dataset, build_dataset, tmp_path, request
):
    whole = build_dataset(photos, tmp_path / "whole")
    founded = found_dataset(photos, tmp_path / "killed")
    url = str(founded.store.root)
    if kind == "s3":
        url = request.getfixturevalue("bucket")
        upload(founded.store.root, url)
    ends = ON_DISK if kind == "disk" else IN_BUCKETS
    steps = [
        f"{folder}.{end}" for folder in ("lease", "work", "shards", "manifest") for end in ends
    ]
    store = open_store(url)
    witness = Witness(open_store(url))
    witness.start()
    for number, step in enumerate([*steps, "seal.sealed"]):
        passes = tmp_path / f"passes-{number}"
        passes.mkdir()
        killed = start(url, tmp_path, f"{step}:1:kill:{passes}")
        assert killed.wait() == -signal.SIGKILL, f"{step} was never reached"
    units = sum(whole.plan.num_units(shard) for shard in range(whole.plan.num_shards))
    shards = sealed_shards(store)
    left = sum(whole.plan.num_units(s) for s in range(whole.plan.num_shards) if s not in shards)
    durable = sum(len(store.names(f"work/{name}")) for name in store.names("work"))
    made = made_by(start(url, tmp_path))
    assert 0 < made <= left <= units
    assert made + durable >= left
    witness.end()
    assert not witness.torn
    assert sorted(witness.seen) == list(range(whole.plan.num_shards))
    assert published(store) == published(whole.store)
    assert store.names("work") == []
    assert newest_lease(store) is None
    assert not [path for path in founded.store.root.rglob(".*") if path.is_file()]
    assert open_dataset(url).plan.num_shards == whole.plan.num_shards
