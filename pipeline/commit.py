"""Make units durable and seal shards: tar first, manifest last, each whole or absent."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
from blake3 import blake3

from gends.pipeline.config import BuildConfig
from gends.pipeline.faults import fault_point
from gends.pipeline.manifest import (
    SCHEMA,
    Row,
    manifest_name,
    member_json,
    numbers,
    shard_name,
    write_manifest,
)
from gends.pipeline.row import BYTES
from gends.pipeline.store import Store

UNIT_SCHEMA = pa.schema([*SCHEMA, *((name, pa.binary()) for name in BYTES)])


def work_folder(shard: int) -> str:
    """Folder of a shard's durable units, removed when the shard is sealed."""
    return f"work/{shard:06d}"


def write_unit(store: Store, shard: int, index: int, rows: list[Row]) -> None:
    """Make one unit durable. Writing it again replaces it by the same bytes."""
    _write_rows(store, _unit_name(shard, index), rows)


def write_kept(store: Store, shard: int, index: int, rows: list[Row]) -> None:
    """Keep those rows of a unit that are not to be made again; the others are missing."""
    _write_rows(store, _unit_name(shard, index, "kept"), rows)


def read_kept(store: Store, shard: int, index: int) -> list[Row]:
    """The rows that were kept of a unit."""
    return _read_rows(store, _unit_name(shard, index, "kept"))


def begun_shards(store: Store) -> set[int]:
    """Shards that have durable units or kept rows; one may be sealed and not yet cleaned up."""
    return set(numbers(store.names("work"), ""))


def durable_units(store: Store, shard: int) -> set[int]:
    """Indices of the units of an unsealed shard that need not be made again."""
    return begun_units(store, shard)[0]


def begun_units(store: Store, shard: int) -> tuple[set[int], set[int]]:
    """Indices of `durable_units`, and of the units of which some rows were kept: one listing."""
    names = store.names(work_folder(shard))
    return set(numbers(names, ".arrow")), set(numbers(names, ".kept"))


def _unit_name(shard: int, index: int, kind: str = "arrow") -> str:
    return f"{work_folder(shard)}/{index:06d}.{kind}"


def _write_rows(store: Store, name: str, rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows, schema=UNIT_SCHEMA)
    with store.publish(name) as file, pa.ipc.new_file(file, UNIT_SCHEMA) as writer:
        writer.write_table(table)


def _read_rows(store: Store, name: str) -> list[Row]:
    # A thread of Arrow's that lets go of Python's bytes while the interpreter ends aborts it.
    alone = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_file(pa.BufferReader(store.read(name)), options=alone) as reader:
        rows: list[Row] = reader.read_all().to_pylist()
    return rows


def seal(
    store: Store,
    shard: int,
    num_units: int,
    config: BuildConfig,
    config_digest: str,
    *,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Turn a shard's durable units into its tar and manifest; a sealed shard is left as it is.

    Units are concatenated in order, which is the order of keys; memory holds one unit. `check` is
    called before anything is published, and raises when another build has taken the root over.

    Raises:
        AlreadyExistsError: another build sealed the shard in the meantime.
    """
    # A sealing that is tried again may find its own manifest, and the units already removed.
    if not store.exists(manifest_name(shard)):
        with store.publish(shard_name(shard)) as file:
            writer = ShardWriter(file, config.image_format)
            rows = [
                writer.add(row)
                for index in range(num_units)
                for row in _read_rows(store, _unit_name(shard, index))
            ]
            writer.close()
            check()
        check()
        write_manifest(
            store,
            shard,
            rows,
            shard_size=writer.num_bytes,
            shard_blake3=writer.blake3,
            config_digest=config_digest,
        )
    fault_point("seal.sealed")
    store.remove_folder(work_folder(shard))


class ShardWriter:
    """Writes the tar of a shard: reproducible bytes, known offsets, a running checksum."""

    def __init__(self, file: BinaryIO, image_format: str) -> None:
        """Write to `file`, naming images after `image_format`."""
        self._file = file
        self._format = image_format
        self._hash = blake3()
        self.num_bytes = 0

    def add(self, row: Row) -> Row:
        """Write an accepted row's members; returns the row with its byte ranges, less the bytes."""
        known = {name: row[name] for name in SCHEMA.names}
        if row["status"] != "accepted":
            return known
        members = {"gt": row["gt_bytes"], "json": member_json(known), "lq": row["lq_bytes"]}
        for part, data in members.items():
            suffix = part if part == "json" else f"{part}.{self._format}"
            offset = self._add_member(f"{row['key']}.{suffix}", data)
            if part != "json":
                known |= {f"{part}_offset": offset, f"{part}_size": len(data)}
        return known

    def close(self) -> None:
        """Write the end of the archive."""
        self._write(tarfile.NUL * (2 * tarfile.BLOCKSIZE))
        self._write(tarfile.NUL * (-self.num_bytes % tarfile.RECORDSIZE))

    @property
    def blake3(self) -> str:
        """Checksum of all bytes written."""
        return self._hash.hexdigest()

    def _add_member(self, name: str, data: bytes) -> int:
        info = tarfile.TarInfo(name)  # mtime, uid and gid are 0, mode 0644, no owner's name
        info.size = len(data)
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
        offset = self.num_bytes
        self._write(data)
        self._write(tarfile.NUL * (-len(data) % tarfile.BLOCKSIZE))
        return offset

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.num_bytes += len(data)
