"""What is damaged of the durable units of a build is made again, and nothing of it is sealed."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from witness import published

from gends.models.dry import DryDegrader
from gends.pipeline.format.manifest import (
    ManifestError,
    Row,
    manifest_name,
    sealed_shards,
    shard_name,
)
from gends.pipeline.keeping.commit import (
    UnitError,
    read_kept,
    seal,
    work_folder,
    write_reopened,
    write_unit,
)
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.keeping.retry import completed, failed_shards, reopen, without_kept
from gends.pipeline.making.judge import Judge
from gends.pipeline.making.load import load_views
from gends.pipeline.making.unit import make_unit
from gends.pipeline.reading.reader import read_manifest
from gends.pipeline.types import WorkUnit

PROGRAM = Path(sys.executable).with_name("gends-build")


def flip(data: bytes, place: float) -> bytes:
    flipped = bytearray(data)
    flipped[int(place * (len(data) - 1))] ^= 1
    return bytes(flipped)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "tiny": lambda data: data[:20],
    "truncated": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "flipped first": lambda data: flip(data, 0),
    "flipped among pixels": lambda data: flip(data, 0.5),
    "flipped last": lambda data: flip(data, 1),
    "zeros": lambda data: bytes(len(data)),
}


@pytest.fixture
def begun(photos: Path, found_dataset, make_units, tmp_path: Path) -> Dataset:
    """A dataset all of whose units are durable."""
    dataset = found_dataset(photos, tmp_path / "root")
    for shard in range(dataset.plan.num_shards):
        make_units(dataset, dataset.plan.units(shard))
    return dataset


def rows_of(dataset: Dataset, unit: WorkUnit) -> list[Row]:
    config = dataset.config
    loaded = load_views(unit.views, dataset.base, config)
    return make_unit(unit, loaded, {"dry": DryDegrader()}, Judge(config.filter), config)


def damage(path: Path, how: str) -> None:
    path.write_bytes(DAMAGES[how](path.read_bytes()))


@pytest.mark.parametrize("how", DAMAGES)
def test_no_damaged_unit_is_sealed(begun, make_units, seal_shard, finished, how):
    path = begun.store.path(work_folder(0)) / "000001.arrow"
    damage(path, how)
    with pytest.raises(UnitError, match=r"work/000000/000001\.arrow: damaged") as raised:
        seal_shard(begun, 0)
    assert (raised.value.shard, raised.value.index) == (0, 1)
    assert published(begun.store) == {}
    make_units(begun, [begun.plan.unit(0, 1)])
    seal_shard(begun, 0)
    assert begun.store.read(shard_name(0)) == finished.store.read(shard_name(0))


def test_any_flipped_bit_of_a_unit_is_noticed(begun):
    path, rng = begun.store.path(work_folder(0)) / "000000.arrow", random.Random(5)
    whole = path.read_bytes()
    for _ in range(200):
        path.write_bytes(flip(whole, rng.random()))
        with pytest.raises(UnitError):
            seal(begun.store, 0, begun.plan.unit_sizes(0), begun.config, begun.config_digest)
    assert published(begun.store) == {}


def test_a_retry_keeps_no_pair_that_is_damaged(copied):
    (shard, *_) = failed_shards(copied, sealed_shards(copied.store), set())
    before = published(copied.store)
    path = copied.store.path(shard_name(shard))
    path.write_bytes(flip(path.read_bytes(), 0.3))
    with pytest.raises(ValueError, match=r"not those that .* recorded: run gends-build verify"):
        reopen(copied, shard, set())
    now = published(copied.store)
    assert now.keys() == before.keys(), "the shard was opened"
    assert not copied.store.exists(f"{work_folder(shard)}/reopened.json")


def test_a_unit_under_the_name_of_another_is_not_sealed(begun, make_units, seal_shard, finished):
    folder = begun.store.path(work_folder(0))
    shutil.copy(folder / "000001.arrow", folder / "000000.arrow")
    with pytest.raises(UnitError, match=r"000000\.arrow: damaged"):
        seal_shard(begun, 0)
    make_units(begun, [begun.plan.unit(0, 0)])
    seal_shard(begun, 0)
    assert begun.store.read(shard_name(0)) == finished.store.read(shard_name(0))


def test_a_unit_of_another_dataset_is_not_sealed(
    begun, found_dataset, make_units, seal_shard, photos, tmp_path
):
    other = found_dataset(photos, tmp_path / "other", seed=begun.config.seed + 1)
    make_units(other, [other.plan.unit(0, 0)])
    name = f"{work_folder(0)}/000000.arrow"  # the same name, and the same keys inside
    shutil.copy(other.store.path(name), begun.store.path(name))
    with pytest.raises(UnitError, match=r"000000\.arrow: damaged"):
        seal_shard(begun, 0)


@pytest.mark.parametrize("change", ["a row less", "a row twice"])
def test_a_unit_that_is_not_what_the_plan_asks_for_is_not_sealed(
    begun, make_units, seal_shard, finished, change
):
    # As a stage would have written that slept while another `retry` kept other rows.
    store, unit = begun.store, begun.plan.unit(0, 0)
    rows = rows_of(begun, unit)
    write_unit(store, 0, 0, rows[1:] if change == "a row less" else [*rows[1:], rows[1]])
    with pytest.raises(UnitError, match=r"000000\.arrow: damaged"):
        seal_shard(begun, 0)
    make_units(begun, [unit])
    seal_shard(begun, 0)
    assert store.read(shard_name(0)) == finished.store.read(shard_name(0))


def test_what_was_narrowed_by_one_retry_is_not_completed_by_another(begun):
    store, rows = begun.store, rows_of(begun, begun.plan.unit(0, 0))
    write_reopened(store, 0, 0, rows[:2], whole=False, check=lambda: None)
    unit = without_kept(store, begun.plan.unit(0, 0))
    assert unit.num_requests == len(rows) - 2
    assert len(completed(store, unit, rows[2:])) == len(rows)
    write_reopened(store, 0, 0, rows[:1], whole=False, check=lambda: None)
    with pytest.raises(UnitError, match=work_folder(0)):
        completed(store, unit, rows[2:])


@pytest.mark.parametrize("change", ["a value", "a row less"])
def test_a_retry_keeps_no_row_that_was_not_sealed(copied, change):
    (shard, *_) = failed_shards(copied, sealed_shards(copied.store), set())
    path = copied.store.path(manifest_name(shard))
    table = pq.read_table(path)  # its metadata, and with them its digest, stay
    if change == "a row less":
        table = table.slice(1)
    else:
        mu = pa.array([0.5] * len(table), pa.float32())
        table = table.set_column(table.column_names.index("mu"), table.field("mu"), mu)
    pq.write_table(table, path, write_page_checksum=True)
    before = published(copied.store)
    with pytest.raises(ManifestError, match="not those that were sealed; run gends-build verify"):
        reopen(copied, shard, set())
    assert published(copied.store) == before


def test_a_retry_leaves_alone_what_the_list_of_photographs_rules_out(finished):
    shards = sealed_shards(finished.store)
    rows = read_manifest(finished.store.url, status="failed").to_pylist()
    assert {row["reason"] for row in rows} == {"duplicate", "undecodable"}
    counts = {
        reasons: sum(failed_shards(finished, shards, set(reasons)).values())
        for reasons in ((), ("duplicate",), ("undecodable",))
    }
    assert counts[()] == counts["undecodable",] > 0
    assert counts["duplicate",] == len(rows) - counts[()] > 0


@pytest.mark.slow
def test_a_build_makes_again_what_is_damaged(begun, seal_shard, finished):
    store = begun.store
    (shard, *_) = failed_shards(finished, sealed_shards(finished.store), set())
    seal_shard(begun, shard)
    manifest = store.read(manifest_name(shard))
    reopen(begun, shard, set())
    # As if it had been killed before the manifest went.
    store.path(manifest_name(shard)).write_bytes(manifest)
    kept = sorted(store.path(work_folder(shard)).glob("*.kept"))
    assert kept
    for path in kept:
        damage(path, "truncated")
        with pytest.raises(UnitError):
            read_kept(store, shard, int(path.stem))
    other = (shard + 1) % begun.plan.num_shards
    hurt = sorted(store.path(work_folder(other)).glob("*.arrow"))
    for path, how in zip(hurt, ("flipped among pixels", "empty"), strict=False):
        damage(path, how)
    # The remains of something else count for nothing.
    shutil.copy(hurt[-1], hurt[-1].with_stem("000099"))
    done = subprocess.run(
        [PROGRAM, "run", "--out", store.root, "--workers", "1"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (*kept, *hurt[:2]):
        assert f"{path}: damaged, so that the unit has to be made again" in done.stderr
    total = begun.plan.num_requests()
    assert f"{total}/{total} pairs (100%)" in done.stderr
    assert published(store) == published(finished.store)
    assert store.names("work") == []
