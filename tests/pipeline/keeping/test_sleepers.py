"""A process that sleeps after its last look at the lease, and wakes up when others have gone on."""

from __future__ import annotations

import pytest

from gends.pipeline.format.manifest import manifest_name, sealed_shards
from gends.pipeline.keeping.commit import work_folder
from gends.pipeline.keeping.lease import LeaseLostError
from gends.pipeline.keeping.reopened import (
    close,
    lost_manifests,
    open_shards,
    read_record,
    settle,
    take_away,
)
from gends.pipeline.keeping.verify import verify


@pytest.mark.parametrize("step", ["take_away", "settle"])
def test_a_sleeper_takes_no_manifest_away_that_was_published_since(
    copied, make_units, seal_shard, step
):
    store = copied.store
    if step == "settle":
        kept = store.read(manifest_name(0))
        take_away(store, 0, same=True)
        store.path(manifest_name(0)).write_bytes(kept)
    calls = []

    def sleep() -> None:
        calls.append(1)
        if len(calls) == (2 if step == "take_away" else 1):  # the last one before the removal
            take_away(store, 0, same=False)
            make_units(copied, copied.plan.units(0))
            seal_shard(copied, 0)

    if step == "take_away":
        take_away(store, 0, same=True, check=sleep)
    else:
        settle(store, 0, sleep)
    assert 0 in sealed_shards(store)
    assert next(iter(verify(copied))) == (0, [])


def test_a_sleeper_withdraws_its_record(copied):
    store, asked = copied.store, []

    def wake_up() -> None:
        asked.append(1)
        if len(asked) > 1:  # after the record got its name
            raise LeaseLostError

    with pytest.raises(LeaseLostError):
        take_away(store, 0, same=False, check=wake_up)
    assert read_record(store, 0) is None
    assert 0 in sealed_shards(store)


def test_a_sleeper_withdraws_no_record_that_its_successor_went_by(copied):
    store, asked = copied.store, []

    def wake_up() -> None:
        asked.append(1)
        if len(asked) > 1:
            assert settle(store, 0, lambda: None) is True
            assert read_record(store, 0).outcome is None
            raise LeaseLostError

    with pytest.raises(LeaseLostError):
        take_away(store, 0, same=True, check=wake_up)
    assert open_shards(store, copied.plan.num_shards) == {0}
    assert lost_manifests(store, copied.plan.num_shards) == []


def test_a_sleeper_cleans_up_nothing_that_came_since(copied, make_units):
    store = copied.store
    make_units(copied, copied.plan.units(0))

    def sleep() -> None:
        take_away(store, 0, same=False)
        make_units(copied, [copied.plan.unit(0, 0)])

    before = store.versions(work_folder(0))
    close(store, 0, sleep)
    left = store.versions(work_folder(0))
    assert sorted(left) == ["000000.arrow", "reopened.json"]
    assert left["000000.arrow"] != before["000000.arrow"]
