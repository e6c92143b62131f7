"""Random access to the pairs of committed shards, through the manifests' byte ranges."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from gends.models.degrader import Image
from gends.pipeline.damage import PairError
from gends.pipeline.dataset import read_identity
from gends.pipeline.manifest import (
    RANGES,
    SCHEMA,
    STATUSES,
    ManifestError,
    Row,
    manifest_name,
    open_manifest,
    read_rows,
    sealed_shards,
    shard_name,
)
from gends.pipeline.pack import decode
from gends.pipeline.store import StorageError, Store, open_store

PARALLEL = 8
"""Manifests read at a time: in an object store each costs a round trip."""

MOST_BYTES = 1 << 30
"""Of one member; the largest picture takes far less."""


class DatasetNotFoundError(ValueError):
    """A root without a single committed shard."""


def read_manifest(
    root: Path | str,
    *,
    status: str | None = "accepted",
    columns: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
) -> pa.Table:
    """Rows of all manifests under a root as one table, in order of shard and key.

    Manifests of shards that are not in the plan are passed over.

    Raises:
        DatasetNotFoundError: no manifest is there.
        IdentityError: manifests are there, and no dataset that they belong to.
        ManifestError: a manifest is damaged, or says what cannot be.
    """
    store = open_store(root)
    numbers = readable_shards(store) if shards is None else shards
    if not numbers:
        raise DatasetNotFoundError(f"{root}: no manifest/*.parquet, so no shard to read yet")
    names = list(SCHEMA.names if columns is None else columns)

    def read(shard: int) -> pa.Table:
        table = _checked_rows(store, shard, names)
        if status is not None:
            table = table.filter(pc.equal(table["status"], status))
        return table.select(names)

    with ThreadPoolExecutor(PARALLEL) as threads:
        return pa.concat_tables(threads.map(read, numbers))


def readable_shards(store: Store) -> list[int]:
    """Numbers of the sealed shards that the dataset under a root plans, in order.

    Raises:
        IdentityError: manifests are there, and no dataset that they belong to.
    """
    found = sealed_shards(store)
    num_shards = read_identity(store)["num_shards"] if found else 0
    return [shard for shard in found if shard < num_shards]


def _checked_rows(store: Store, shard: int, columns: list[str]) -> pa.Table:
    """Rows that name no shard but their own, and no bytes outside of it."""
    file, facts = open_manifest(store, shard)
    needed = dict.fromkeys((*columns, "shard", "status", *RANGES))
    table = read_rows(store, shard, file, needed).replace_schema_metadata(None)
    where = store.where(manifest_name(shard))
    if not _all(pc.equal(table["shard"], shard)):
        raise ManifestError(where, "a row names another shard")
    if not _all(pc.is_in(table["status"], value_set=pa.array(STATUSES))):
        raise ManifestError(where, f"a status is none of {', '.join(STATUSES)}")
    accepted = table.filter(pc.equal(table["status"], "accepted"))
    size = int(facts["shard_size"])
    for part in ("gt", "lq"):
        start, length = accepted[f"{part}_offset"], accepted[f"{part}_size"]
        # Each is looked at first, so that their sum cannot overflow.
        fits = [pc.and_(pc.greater_equal(n, 0), pc.less_equal(n, size)) for n in (start, length)]
        if not all(map(_all, fits)) or not _all(pc.less_equal(pc.add(start, length), size)):
            raise ManifestError(where, f"a byte range of {part} leads outside of the shard")
    return table


def _all(column: pa.ChunkedArray) -> bool:
    """Whether every value is true and none is missing."""
    return column.null_count == 0 and bool(pc.all(column, min_count=0).as_py())


class ShardReader:
    """Reads member bytes from tars. Picklable; safe after a fork on disks; on buckets, spawn."""

    def __init__(self, root: Path | str) -> None:
        """Read shards under `root`."""
        self._store = open_store(root)

    def read(self, shard: int, offset: int, size: int, checksum: str | None = None) -> bytes:
        """Bytes of one member, compared with their BLAKE3 checksum if one is given.

        Raises:
            OSError: the shard is missing or shorter than its manifest says, the range is none, or
                the checksum is another.
        """
        if offset < 0 or not 0 <= size <= MOST_BYTES:
            raise OSError(
                f"{self._store.where(shard_name(shard))}: no member has {size} bytes at {offset}; "
                "the manifest is wrong: run gends-build verify"
            )
        data = self._store.read_range(shard_name(shard), offset, size)
        if len(data) != size:
            raise OSError(
                f"{self._store.where(shard_name(shard))}: {len(data)} of {size} bytes at {offset}; "
                "the shard is shorter than its manifest says: run gends-build verify"
            )
        if checksum is not None and blake3(data).hexdigest() != checksum:
            raise OSError(
                f"{self._store.where(shard_name(shard))}: {size} bytes at {offset} are not those "
                "that the manifest recorded: run gends-build verify"
            )
        return data


def read_encoded(reader: ShardReader, row: Row, part: str) -> bytes:
    """Read and check the encoded bytes of one picture of a pair, `gt` or `lq`.

    Raises:
        PairError: they are missing, or not those that were recorded.
        StorageError: the store does not answer.
    """
    try:
        place = (row["shard"], row[f"{part}_offset"], row[f"{part}_size"])
        return reader.read(*place, row[f"{part}_blake3"])
    except StorageError:
        raise  # which says nothing about the pair
    except OSError as error:
        raise _pair_error(row, part, error) from error


def read_picture(reader: ShardReader, row: Row, part: str) -> Image:
    """Read, check and decode one picture of a pair, `gt` or `lq`: uint8 (H, W, 3) RGB.

    Raises:
        PairError: its bytes are missing, not those that were recorded, or no picture.
        StorageError: the store does not answer.
    """
    data = read_encoded(reader, row, part)
    try:
        return decode(data)
    except (OSError, ValueError) as error:
        raise _pair_error(row, part, error) from error


def _pair_error(row: Row, part: str, error: Exception) -> PairError:
    where = f"{shard_name(row['shard'])} at byte {row[f'{part}_offset']}"
    return PairError(f"{row['key']}.{part} in {where}: {error}")
