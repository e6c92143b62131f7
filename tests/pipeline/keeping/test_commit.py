from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from gends.pipeline.format.decode import decode
from gends.pipeline.format.manifest import (
    RANGES,
    manifest_name,
    member_json,
    sealed_shards,
    shard_name,
)
from gends.pipeline.keeping import commit
from gends.pipeline.keeping.commit import durable_units, seal, work_folder, write_unit
from gends.pipeline.keeping.reopened import close
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.storage.folder import LocalStore


def digests(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def data_of(root: Path) -> dict[str, str]:
    return {n: d for n, d in digests(root).items() if n.startswith(("shards/", "manifest/"))}


def test_members_are_sorted_and_pairs_contiguous(finished):
    for shard in sealed_shards(finished.store):
        with tarfile.open(finished.store.path(shard_name(shard))) as archive:
            names = archive.getnames()
        rows = read_manifest(finished.store.root, shards=[shard]).to_pylist()
        expected = [f"{r['key']}.{part}" for r in rows for part in ("gt.png", "json", "lq.png")]
        assert names == sorted(names) == expected


def test_a_tar_is_plain_and_has_nothing_of_the_machine_in_it(finished):
    data = finished.store.path(shard_name(0)).read_bytes()
    assert len(data) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            assert len(member.name) <= 100
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
            assert (member.uname, member.gname) == ("", "")
            # A header of its own block and no other: no PAX extension came before it.
            assert member.offset_data - member.offset == tarfile.BLOCKSIZE
            assert member.type == tarfile.REGTYPE


def test_byte_ranges_lead_to_the_members(finished):
    for row in read_manifest(finished.store.root).to_pylist():
        path = finished.store.path(shard_name(row["shard"]))
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with tarfile.open(path) as archive:
                for part in ("gt", "lq"):
                    data = os.pread(descriptor, row[f"{part}_size"], row[f"{part}_offset"])
                    member = archive.extractfile(f"{row['key']}.{part}.png")
                    assert member is not None
                    assert data == member.read()
                    assert decode(data).shape == (64, 64, 3)
        finally:
            os.close(descriptor)


def test_the_json_member_is_the_manifest_row(finished):
    for row in read_manifest(finished.store.root).to_pylist():
        with tarfile.open(finished.store.path(shard_name(row["shard"]))) as archive:
            member = archive.extractfile(f"{row['key']}.json")
            assert member is not None
            data = member.read()
        assert data == member_json(row)
        facts = json.loads(data)
        assert facts.keys() == row.keys() - set(RANGES)
        same = {n: v for n, v in facts.items() if n != "metrics" and not isinstance(v, float)}
        assert same == {n: row[n] for n in same}
        assert facts["metrics"]["structure"] == pytest.approx(dict(row["metrics"])["structure"])


@pytest.mark.parametrize("name", ["reversed", "interleaved"])
def test_bytes_do_not_depend_on_the_order_of_units(build_dataset, finished, photos, tmp_path, name):
    orders = {
        "reversed": lambda units: units[::-1],
        "interleaved": lambda units: units[1::2] + units[::2],
    }
    other = build_dataset(photos, tmp_path / "root", order=orders[name])
    assert data_of(other.store.root) == data_of(finished.store.root)
    # Any root, anywhere, at any time: nothing but the path of the photographs could differ.
    assert digests(other.store.root) == digests(finished.store.root)


def test_images_do_not_depend_on_shards_and_units(build_dataset, finished, photos, tmp_path):
    other = build_dataset(photos, tmp_path / "root", shard_size=1000, unit_images=3)
    assert sealed_shards(other.store) == [0]
    ours, theirs = (
        read_manifest(root, status=None, columns=["key", "lq_blake3", "seed", "reason"])
        for root in (finished.store.root, other.store.root)
    )
    assert ours.equals(theirs)


@pytest.mark.parametrize("image_format", ["jpg", "webp"])
def test_other_formats(build_dataset, photos, tmp_path, image_format):
    dataset = build_dataset(photos, tmp_path / "root", image_format=image_format, limit=2)
    again = build_dataset(photos, tmp_path / "again", image_format=image_format, limit=2)
    assert data_of(dataset.store.root) == data_of(again.store.root)
    with tarfile.open(dataset.store.path(shard_name(0))) as archive:
        suffixes = {name.partition(".")[2] for name in archive.getnames()}
    assert suffixes == {f"gt.{image_format}", f"lq.{image_format}", "json"}


def test_a_shard_of_nothing_but_failures_is_an_empty_archive(build_dataset, photos, tmp_path):
    (tmp_path / "text.png").write_text("no photograph")
    (tmp_path / "list.txt").write_text("text.png\n")
    dataset = build_dataset(tmp_path / "list.txt", tmp_path / "root")
    with tarfile.open(dataset.store.path(shard_name(0))) as archive:
        assert archive.getnames() == []
    rows = read_manifest(dataset.store.root, status=None).to_pylist()
    assert {row["reason"] for row in rows} == {"undecodable"}


def test_a_shard_without_a_single_request(build_dataset, photos, tmp_path):
    # Everything there is to paint is what both photographs of the third shard show already.
    dataset = build_dataset(photos, tmp_path / "root", degradations=["haze"], shard_size=2)
    rows = read_manifest(dataset.store.root, status=None).to_pylist()
    assert sealed_shards(dataset.store) == [0, 1, 2, 3, 4]
    assert 2 not in {row["shard"] for row in rows}
    assert len(rows) == dataset.plan.num_requests() == 8


# Crashes


@pytest.fixture
def half(found_dataset, make_units, photos, tmp_path):
    """A root whose first shard has its units and whose others have none."""
    dataset = found_dataset(photos, tmp_path / "root")
    make_units(dataset, dataset.plan.units(0))
    return dataset


def seal_first(dataset, check=lambda: None) -> None:
    sizes = dataset.plan.unit_sizes(0)
    seal(dataset.store, 0, sizes, dataset.config, dataset.config_digest, check=check)
    close(dataset.store, 0, check)


def first_shard(dataset) -> dict[str, str]:
    return {n: d for n, d in data_of(dataset.store.root).items() if "000000" in n}


def durable(dataset, shard) -> set[int]:
    return durable_units(dataset.store, shard, dataset.plan.num_units(shard))


def test_durable_units_are_counted_until_the_shard_is_sealed(half):
    assert durable(half, 0) == {0, 1}
    assert durable(half, 1) == set()
    assert data_of(half.store.root) == {}
    seal_first(half)
    assert durable(half, 0) == set()
    assert not half.store.path(work_folder(0)).exists()
    assert sealed_shards(half.store) == [0]


def test_a_unit_written_again_is_the_same_file(half, make_units):
    before = digests(half.store.path(work_folder(0)))
    make_units(half, half.plan.units(0))
    assert digests(half.store.path(work_folder(0))) == before


def test_half_a_unit_is_no_unit(half):
    store = half.store
    (store.path(work_folder(0)) / ".000002.arrow.0123").write_bytes(b"half")
    assert durable(half, 0) == {0, 1}
    seal_first(half)


def test_sealing_twice_changes_nothing(half, finished):
    seal_first(half)
    once = digests(half.store.root)
    seal_first(half)
    assert digests(half.store.root) == once
    assert first_shard(half) == first_shard(finished)


def test_a_crash_between_manifest_and_clean_up(half, finished, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "remove_all", crash)
        with pytest.raises(Crash):
            seal_first(half)
    assert durable(half, 0) == {0, 1}
    seal_first(half)
    assert not half.store.path(work_folder(0)).exists()
    assert first_shard(half) == first_shard(finished)


def test_a_crash_between_tar_and_manifest(half, finished, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(commit, "write_manifest", crash)
        with pytest.raises(Crash):
            seal_first(half)
    assert half.store.exists(shard_name(0))
    assert sealed_shards(half.store) == []
    # A torn tar from a machine that lost its power is replaced as well.
    half.store.path(shard_name(0)).write_bytes(b"torn")
    seal_first(half)
    assert first_shard(half) == first_shard(finished)


def test_a_crash_while_the_tar_is_written(half, finished, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(commit.ShardWriter, "close", crash)
        with pytest.raises(Crash):
            seal_first(half)
    assert first_shard(half) == {}
    seal_first(half)
    assert first_shard(half) == first_shard(finished)


def test_a_missing_unit_cannot_be_sealed_over(half):
    (half.store.path(work_folder(0)) / "000001.arrow").unlink()
    with pytest.raises(OSError, match=r"000001\.arrow"):
        seal_first(half)
    assert not half.store.exists(manifest_name(0))
    assert not half.store.exists(shard_name(0))


def test_nothing_is_published_without_asking_first(half):
    """Whichever time it is that the root turns out to be lost."""
    allowed = 0
    while True:
        try:
            seal_first(half, Allowance(allowed))
            break
        except Lost:
            assert len(data_of(half.store.root)) <= allowed
        allowed += 1
    assert allowed >= 3


def test_a_manifest_that_says_otherwise_is_replaced_and_only_with_the_right_to(half, finished):
    other = finished.store.path(manifest_name(1)).read_bytes()
    name = half.store.path(manifest_name(0))
    name.parent.mkdir()
    name.write_bytes(other)
    with pytest.raises(Lost):
        seal_first(half, Allowance(0))
    assert name.read_bytes() == other
    seal_first(half)
    assert first_shard(half) == first_shard(finished)


def test_a_manifest_that_comes_while_the_tar_is_on_its_way_is_replaced(half, finished):
    other = finished.store.path(manifest_name(1)).read_bytes()
    name = half.store.path(manifest_name(0))
    asked = []

    def wake_up() -> None:  # first asked for before the tar gets its name
        if not asked:
            name.parent.mkdir()
            name.write_bytes(other)
        asked.append(1)

    seal_first(half, wake_up)
    assert first_shard(half) == first_shard(finished)


def test_a_resumed_build_is_the_build(half, finished, make_units, seal_shard):
    units = [u for shard in range(half.plan.num_shards) for u in half.plan.units(shard)]
    for unit in units[::-1]:
        if unit.index not in durable(half, unit.shard):
            make_units(half, [unit])
    for shard in range(half.plan.num_shards):
        seal_shard(half, shard)
    assert digests(half.store.root) == digests(finished.store.root)


def test_a_unit_that_cannot_be_written_leaves_nothing(half):
    with pytest.raises(Exception, match="object"):
        write_unit(half.store, 1, 0, [{"key": object()}])
    assert durable(half, 1) == set()


class Lost(Exception):
    """Another build holds the root."""


class Allowance:
    """A check that passes so many times."""

    def __init__(self, passes: int) -> None:
        self.passes = passes

    def __call__(self) -> None:
        self.passes -= 1
        if self.passes < 0:
            raise Lost


class Crash(BaseException):
    """As sudden as a signal: nothing in between catches it."""


def crash(*_: object, **__: object) -> None:
    raise Crash
