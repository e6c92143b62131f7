"""Make units durable and seal shards: tar first, manifest last, each whole or absent.

A unit's file is a stream of Arrow, whose schema says which unit of which dataset it is, and, after
its end, the BLAKE3 of all bytes before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from blake3 import blake3

from gends.pipeline.format.damage import DamageError
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.format.manifest import (
    SCHEMA,
    ManifestError,
    Row,
    as_manifest,
    facts_of,
    manifest_name,
    numbers,
    read_facts,
    shard_name,
    write_manifest,
)
from gends.pipeline.format.shard import ShardWriter
from gends.pipeline.making.row import BYTES
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.storage.faults import fault_point
from gends.pipeline.storage.store import AlreadyExistsError, Store

Check = Callable[[], None]

TRIES = 3
"""Times that a shard is published when predecessors that slept and woke up come in between."""
UNIT, DATASET = b"unit", b"dataset"
UNIT_SCHEMA = pa.schema([*SCHEMA, *((name, pa.binary()) for name in BYTES)])


class UnitError(DamageError):
    """A durable unit, or rows that were kept of one, that is damaged or not what it should be."""

    def __init__(self, where: str, shard: int, index: int) -> None:
        """Say which unit is to be made again."""
        super().__init__(f"{where}: damaged, so that the unit has to be made again")
        self.where, self.shard, self.index = where, shard, index

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel from a task to its driver."""
        return UnitError, (self.where, self.shard, self.index)


def work_folder(shard: int) -> str:
    """Folder of a shard's durable units, removed when the shard is sealed."""
    return f"work/{shard:06d}"


def write_unit(store: Store, shard: int, index: int, rows: list[Row]) -> None:
    """Make one unit durable. Writing it again replaces it by the same bytes."""
    _write_rows(store, shard, index, "arrow", rows)


def write_reopened(
    store: Store, shard: int, index: int, rows: list[Row], *, whole: bool, check: Check
) -> None:
    """Make a unit durable once more, or those of its rows that are not to be made again.

    `check` is called before, and raises when another build has taken the root over.
    """
    _write_rows(store, shard, index, "arrow" if whole else "kept", rows, check)


def read_kept(store: Store, shard: int, index: int) -> list[Row]:
    """The rows that were kept of a unit.

    Raises:
        UnitError: their file is damaged.
    """
    return _read_rows(store, shard, index, _dataset(store), "kept")


def begun_shards(store: Store) -> set[int]:
    """Shards that have durable units or kept rows; one may be sealed and not yet cleaned up."""
    return set(numbers(store.names("work"), ""))


def durable_units(store: Store, shard: int, num_units: int) -> set[int]:
    """Indices of the units of an unsealed shard that need not be made again."""
    return begun_units(store, shard, num_units)[0]


def begun_units(store: Store, shard: int, num_units: int) -> tuple[set[int], set[int]]:
    """Indices of `durable_units`, and of the units of which some rows were kept: one listing.

    What lies there under indices that the plan does not have counts for nothing.
    """
    names, planned = store.names(work_folder(shard)), set(range(num_units))
    return planned & set(numbers(names, ".arrow")), planned & set(numbers(names, ".kept"))


def _unit_name(shard: int, index: int, kind: str = "arrow") -> str:
    return f"{work_folder(shard)}/{index:06d}.{kind}"


def _dataset(store: Store) -> bytes:
    """Which dataset is under the root: units of two may have the same names and keys."""
    return blake3(store.read(IDENTITY_NAME)).hexdigest().encode()


def _write_rows(
    store: Store, shard: int, index: int, kind: str, rows: list[Row], check: Check | None = None
) -> None:
    name = _unit_name(shard, index, kind)
    schema = UNIT_SCHEMA.with_metadata({UNIT: name.encode(), DATASET: _dataset(store)})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    data = stream.getvalue()
    with store.publish(name, check=check) as file:
        file.write(data)
        file.write(blake3(data).digest())


def _read_rows(
    store: Store, shard: int, index: int, dataset: bytes, kind: str = "arrow"
) -> list[Row]:
    name = _unit_name(shard, index, kind)
    data = pa.py_buffer(store.read(name))
    size = max(0, data.size - blake3.digest_size)
    if blake3(data.slice(0, size)).digest() != data.slice(size).to_pybytes():
        raise UnitError(store.where(name), shard, index)
    # A thread of Arrow's that lets go of Python's bytes while the interpreter ends aborts it.
    alone = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_stream(data.slice(0, size), options=alone) as reader:
        marks = {UNIT: name.encode(), DATASET: dataset}
        if reader.schema.metadata != marks:  # another unit, under a wrong name
            raise UnitError(store.where(name), shard, index)
        rows: list[Row] = reader.read_all().to_pylist()
    return rows


def seal(
    store: Store,
    shard: int,
    sizes: Sequence[int],
    config: BuildConfig,
    config_digest: str,
    *,
    check: Check = lambda: None,
) -> None:
    """Turn a shard's durable units into its tar and manifest; a sealed shard is left as it is.

    Units are concatenated in order, which is the order of keys; memory holds one unit. `sizes` says
    how many requests the plan has for each. `check` is called before anything is published, and
    raises when another build has taken the root over. A manifest that a build before this one
    publishes when it wakes up is replaced. The units stay: `reopened.close` removes them.

    Raises:
        UnitError: a unit is damaged, and nothing was published; it is to be made again.
    """
    # A sealing that is tried again may find its own manifest, and units already removed.
    again, units = store.exists(manifest_name(shard)), set(range(len(sizes)))
    if not again or durable_units(store, shard, len(sizes)) == units:
        for tries_left in reversed(range(TRIES)):
            try:
                _publish(store, shard, sizes, config, config_digest, check)
                break
            except AlreadyExistsError:
                check()  # a successor came first; or else a predecessor that slept
                if not tries_left:
                    raise
    fault_point("seal.sealed")


def _publish(
    store: Store,
    shard: int,
    sizes: Sequence[int],
    config: BuildConfig,
    config_digest: str,
    check: Check,
) -> None:
    with store.publish(shard_name(shard), check=check) as file:
        writer = ShardWriter(file, config.image_format)
        rows = [writer.add(row) for row in _unit_rows(store, shard, sizes)]
        writer.close()
        facts: dict[str, Any] = {
            "shard_size": writer.num_bytes,
            "shard_blake3": writer.blake3,
            "config_digest": config_digest,
        }
        _is_published(store, shard, rows, facts, check)
    # Again: a build that slept may have published its own while the tar was on its way.
    if not _is_published(store, shard, rows, facts, check):
        write_manifest(store, shard, rows, **facts, check=check)


def _unit_rows(store: Store, shard: int, sizes: Sequence[int]) -> Iterator[Row]:
    """Rows of all units; whoever wrote one had its plan, and no key may be missing or twice."""
    keys, dataset = set[object](), _dataset(store)
    for index, size in enumerate(sizes):
        rows = _read_rows(store, shard, index, dataset)
        before = len(keys)
        keys.update(row["key"] for row in rows)
        if len(rows) != size or len(keys) != before + size:
            raise UnitError(store.where(_unit_name(shard, index)), shard, index)
        yield from rows


def _is_published(
    store: Store, shard: int, rows: list[Row], facts: dict[str, Any], check: Check
) -> bool:
    """Whether this very manifest is there. Another one is out of date, and is removed.

    All units are here and this build holds the root: what says otherwise cannot be right.
    """
    name = manifest_name(shard)
    try:
        version = store.version(name)
    except FileNotFoundError:
        return False
    with contextlib.suppress(FileNotFoundError, ManifestError):
        if read_facts(store, shard) == facts_of(as_manifest(rows, **facts).schema):
            return True
    check()
    store.remove(name, version)
    return False
