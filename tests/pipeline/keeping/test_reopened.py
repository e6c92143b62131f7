from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace

import pytest

from gends.pipeline.format.manifest import manifest_name, read_facts, sealed_shards, shard_name
from gends.pipeline.keeping.commit import durable_units, seal, work_folder
from gends.pipeline.keeping.reopened import (
    forget,
    lost_manifests,
    open_shards,
    read_record,
    remember_tar,
    reopen_empty,
    settle,
    take_away,
)
from gends.pipeline.keeping.retry import failed_shards, reopen
from gends.pipeline.storage.folder import LocalStore


def agree() -> None:
    """The root is held."""


def settled(store) -> tuple[bool, str | None]:
    """Whether the first shard is open once it was settled, and what is on record as come out."""
    is_open, record = settle(store, 0, agree), read_record(store, 0)
    return is_open, record and record.outcome


@pytest.fixture
def opened(copied):
    """A dataset whose first shard was opened again, and the manifest that it had."""
    store = copied.store
    manifest = store.read(manifest_name(0))
    reopen_empty(store, 0, read_facts(store, 0)["shard_blake3"], agree)
    return copied, manifest


@pytest.fixture
def make_again(make_units, seal_shard):
    """(dataset) makes its first shard out of all of its units."""

    def make(dataset):
        make_units(dataset, dataset.plan.units(0))
        seal_shard(dataset, 0)

    return make


def test_a_shard_is_open_until_it_is_sealed_anew(opened, make_again):
    dataset, manifest = opened
    store, planned = dataset.store, dataset.plan.num_shards
    assert open_shards(store, planned) == {0}
    assert sealed_shards(store) == list(range(1, planned))
    assert store.exists(shard_name(0)), "a zombie that removes a tar could harm a sealed shard"
    make_again(dataset)
    assert store.read(manifest_name(0)) == manifest
    # Whoever is killed before it tells what became of the shard, the next one does.
    assert open_shards(store, planned) == {0}
    assert settled(store) == settled(store) == (False, "same")
    forget(store, 0, agree)
    assert open_shards(store, planned) == set()
    assert store.names("work") == []


def test_killed_before_the_manifest_goes_a_shard_is_still_opened(copied):
    store = copied.store

    def die() -> None:
        if store.exists(f"{work_folder(0)}/reopened.json"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_away(store, 0, same=True, check=die)
    assert open_shards(store, copied.plan.num_shards) == {0}
    assert settled(store) == (True, None)
    assert not store.exists(manifest_name(0))
    assert store.exists(f"{work_folder(0)}/reopened.json")


def test_a_manifest_that_comes_back_is_taken_away_again(opened):
    dataset, manifest = opened
    dataset.store.path(manifest_name(0)).write_bytes(manifest)
    assert settled(dataset.store) == (True, None)
    assert open_shards(dataset.store, dataset.plan.num_shards) == {0}


def seal_and_die(dataset, shard=0) -> None:
    sizes = dataset.plan.unit_sizes(shard)
    seal(dataset.store, shard, sizes, dataset.config, dataset.config_digest)


@pytest.mark.parametrize("same", [True, False])
def test_killed_before_the_clean_up_it_is_said_what_became_of_a_shard(opened, make_units, same):
    dataset, _ = opened
    store = dataset.store
    take_away(store, 0, shard_blake3="other than it will be", same=same)
    make_units(dataset, dataset.plan.units(0))
    seal_and_die(dataset)
    assert settled(store) == (False, "other" if same else None)
    forget(store, 0, agree)
    assert store.names("work") == []
    assert open_shards(store, dataset.plan.num_shards) == set()


def test_an_older_manifest_of_a_shard_that_is_open_is_not_believed(opened, make_again):
    dataset, manifest = opened
    store = dataset.store
    # Of two builds ago, published by one that slept.
    shutil.copy(store.path(manifest_name(1)), store.path(manifest_name(0)))
    assert settled(store) == (True, None)
    make_again(dataset)
    assert store.read(manifest_name(0)) == manifest


@pytest.mark.parametrize("again", ["repair", "retry", "loss"])
def test_other_bytes_stay_on_record_however_often_a_shard_is_opened(opened, make_again, again):
    dataset, _ = opened
    store = dataset.store
    take_away(store, 0, shard_blake3="other than it will be", same=True)
    make_again(dataset)
    assert read_record(store, 0).outcome == "other"
    if again == "repair":
        reopen_empty(store, 0, read_facts(store, 0)["shard_blake3"], agree)
    elif again == "retry":
        reopen(dataset, 0, {"undecodable"}, agree)
    else:
        store.remove(manifest_name(0))
        remember_tar(store, 0, agree)
    make_again(dataset)
    assert settled(store) == (False, "other")


def test_a_damaged_record_opens_no_shard_that_is_whole(opened, make_again):
    dataset, manifest = opened
    store = dataset.store
    make_again(dataset)  # and nobody was told yet
    store.path(f"{work_folder(0)}/reopened.json").write_text("")
    assert settled(store) == (False, "unknown")
    assert store.read(manifest_name(0)) == manifest


def test_a_retry_that_was_killed_before_the_clean_up_hinders_no_other(copied, make_units):
    store, planned = copied.store, copied.plan.num_shards
    shard = min(failed_shards(copied, list(range(planned)), set()))
    reopen(copied, shard, set(), agree)
    record = replace(read_record(store, shard), manifest_blake3="of another: something was mended")
    store.path(f"{work_folder(shard)}/reopened.json").write_text(json.dumps(asdict(record)))
    make_units(copied, copied.plan.units(shard))
    seal_and_die(copied, shard)
    reopen(copied, shard, set(), agree)
    assert not store.exists(manifest_name(shard))
    units = copied.plan.num_units(shard)
    assert len(durable_units(store, shard, units)) < units


def test_where_tar_and_manifest_are_lost_their_bytes_are_compared_all_the_same(opened, make_again):
    dataset, _ = opened
    store = dataset.store
    make_again(dataset)
    record = read_record(store, 0)
    assert record.outcome == "same"
    store.remove(manifest_name(0))
    store.remove(shard_name(0))
    remember_tar(store, 0, agree)
    assert read_record(store, 0) == record
    other = replace(record, shard_blake3="other than it will be")
    store.path(f"{work_folder(0)}/reopened.json").write_text(json.dumps(asdict(other)))
    make_again(dataset)
    assert settled(store) == (False, "other")


def test_a_manifest_that_is_damaged_since_says_nothing_of_what_came_out(opened, make_again):
    dataset, _ = opened
    store = dataset.store
    make_again(dataset)
    store.path(manifest_name(0)).write_bytes(b"damaged")
    assert settled(store) == (False, "same")


@pytest.mark.parametrize("command", ["repair", "retry"])
def test_what_was_kept_of_a_shard_that_is_to_be_opened_is_left_alone(copied, command):
    store = copied.store

    def die() -> None:
        if store.exists(f"{work_folder(0)}/reopened.json"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reopen(copied, 0, {"undecodable"}, die)
    kept = store.versions(work_folder(0))
    assert len(kept) > 1
    if command == "repair":
        reopen_empty(store, 0, None, agree)
    else:
        reopen(copied, 0, set(), agree)
    assert store.versions(work_folder(0)) == kept
    assert not store.exists(manifest_name(0))


def test_where_only_the_tar_is_left_its_bytes_are_compared(copied, make_units, seal_shard):
    store = copied.store
    checksum = read_facts(store, 0)["shard_blake3"]
    assert lost_manifests(store, copied.plan.num_shards) == []
    store.remove(manifest_name(0))
    assert lost_manifests(store, copied.plan.num_shards) == [0]
    remember_tar(store, 0, agree)
    record = read_record(store, 0)
    assert record.shard_blake3 == checksum
    store.path(shard_name(0)).write_bytes(b"made again, and lost again")
    remember_tar(store, 0, agree)
    assert read_record(store, 0) == record, "what it was at first is forgotten"
    make_units(copied, copied.plan.units(0))
    seal_shard(copied, 0)
    assert settled(store) == (False, "same")


def test_where_nothing_is_left_there_is_nothing_to_remember(copied):
    copied.store.remove(manifest_name(0))
    copied.store.remove(shard_name(0))
    remember_tar(copied.store, 0, agree)
    assert copied.store.names("work") == []


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"other": 1}', '{"outcome": "rame"}', "[" * 100_000]
)
def test_a_damaged_record_forgets_the_checksum_and_no_more(opened, make_again, text):
    dataset, manifest = opened
    store = dataset.store
    store.path(f"{work_folder(0)}/reopened.json").write_text(text)
    make_again(dataset)
    assert store.read(manifest_name(0)) == manifest
    assert settled(store) == (False, "unknown")


def test_what_a_killed_build_left_of_a_sealed_shard_is_cleaned_up(copied):
    store = copied.store
    store.path(work_folder(0)).mkdir(parents=True)
    store.path(f"{work_folder(0)}/000000.arrow").write_bytes(b"done with")
    assert settled(store) == (False, None)
    assert store.names("work") == []
    assert open_shards(store, copied.plan.num_shards) == set()


def test_killed_while_it_cleans_up_a_shard_made_again_stays_sealed(
    opened, make_units, seal_shard, monkeypatch
):
    dataset, manifest = opened
    store = dataset.store
    make_units(dataset, dataset.plan.units(0))
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "remove_all", remove_one_and_die)
        with pytest.raises(KeyboardInterrupt):
            seal_shard(dataset, 0)
    assert settled(store) == (False, "same")
    assert store.read(manifest_name(0)) == manifest


def remove_one_and_die(store, folder, versions) -> None:
    store.remove(f"{folder}/{min(versions)}")
    raise KeyboardInterrupt


def test_killed_while_it_cleans_up_after_a_retry_that_changed_nothing_a_shard_stays_sealed(
    copied, make_units, seal_shard, monkeypatch
):
    store, manifest = copied.store, copied.store.read(manifest_name(0))
    take_away(store, 0, same=False)
    make_units(copied, copied.plan.units(0))
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "remove_all", remove_one_and_die)
        with pytest.raises(KeyboardInterrupt):
            seal_shard(copied, 0)
    assert settled(store) == (False, None)
    assert store.read(manifest_name(0)) == manifest


def test_a_folder_without_units_hides_no_lost_manifest(copied):
    store, planned = copied.store, copied.plan.num_shards
    store.remove(manifest_name(0))
    store.path(work_folder(0)).mkdir(parents=True)  # killed while it wrote its first file there
    store.path(f"{work_folder(0)}/.reopened.json.{32 * '0'}").touch()
    assert lost_manifests(store, planned) == [0]
    remember_tar(store, 0, agree)
    assert lost_manifests(store, planned) == []


def test_what_became_of_a_shard_is_not_believed_of_its_next_loss(opened, make_again):
    dataset, _ = opened
    store = dataset.store
    make_again(dataset)
    store.remove(manifest_name(0))
    assert lost_manifests(store, dataset.plan.num_shards) == [0]
    remember_tar(store, 0, agree)
    assert read_record(store, 0).outcome is None


@pytest.mark.parametrize("stray", ["link", "folder"])
def test_what_does_not_belong_into_a_work_folder_is_removed_with_it(copied, stray):
    path = copied.store.path(f"{work_folder(0)}/stray")
    path.parent.mkdir(parents=True)
    if stray == "link":
        path.symlink_to("nowhere")
    else:
        (path / "deeper").mkdir(parents=True)
    assert settled(copied.store) == (False, None)
    assert open_shards(copied.store, copied.plan.num_shards) == set()


def test_a_manifest_that_is_a_link_to_nothing_is_taken_away(copied):
    path = copied.store.path(manifest_name(0))
    path.unlink()
    path.symlink_to("nowhere")
    take_away(copied.store, 0, same=True)
    assert list(path.parent.glob(".*")) == []
    assert not path.is_symlink()
