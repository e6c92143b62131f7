"""What cannot build takes nothing away; `tests/faults/test_reopened.py` has repairs that do."""

from __future__ import annotations

import shutil

import pytest
from witness import published

from gends.jobs.building.tally import Tally
from gends.jobs.commands import repair
from gends.pipeline.format.manifest import shard_name
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.lease import hold


@pytest.fixture
def hurt(photos, build_dataset, tmp_path):
    """A dataset with a damaged shard, whose photographs are its own."""
    clean = shutil.copytree(photos.parent, tmp_path / "photos")
    store = build_dataset(clean / photos.name, tmp_path / "root").store
    path = store.path(shard_name(0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return store


@pytest.mark.parametrize("command", ["repair", "retry"])
def test_without_the_photographs_every_shard_stays_in_sight(cli, hurt, tmp_path, command):
    before = published(hurt)
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    ended = cli(command, hurt.root)
    assert ended.code == 2
    assert f"{tmp_path / 'photos'}: the photographs' folder is not there" in ended.err
    assert published(hurt) == before


@pytest.mark.parametrize("command", ["repair", "retry"])
def test_without_a_cluster_every_shard_stays_in_sight(cli, hurt, command):
    before = published(hurt)
    ended = cli(command, hurt.root, "--address", "127.0.0.1:1")
    assert ended.code == 2
    assert "no Ray cluster answers at 127.0.0.1:1" in ended.err
    assert published(hurt) == before
    assert open_dataset(hurt.root).store.names("work") == []


def test_what_was_made_anew_before_the_lease_was_held_is_not_made_again(
    cli, hurt, monkeypatch, build_dataset, photos, tmp_path
):
    whole = build_dataset(tmp_path / "photos" / photos.name, tmp_path / "whole").store
    opened = []

    def drive(store, inputs, cluster, progress, prepare):
        # While this one waited, another one has mended the shard.
        store.path(shard_name(0)).write_bytes(whole.read(shard_name(0)))
        with hold(store) as lease:
            prepare(lease)
        opened.extend(store.names("work"))
        return Tally(total=0)

    monkeypatch.setattr(repair, "drive", drive)
    ended = cli("repair", hurt.root)
    assert (ended.code, opened) == (0, [])
    assert "no problems left" in ended.out
