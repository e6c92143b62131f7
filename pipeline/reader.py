"""Random access to the pairs of committed shards, through the manifests' byte ranges."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gends.pipeline.manifest import manifest_name, sealed_shards, shard_name
from gends.pipeline.store import open_store

PARALLEL = 8
"""Manifests read at a time: in an object store each costs a round trip."""


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

    Raises:
        DatasetNotFoundError: no manifest is there.
    """
    store = open_store(root)
    numbers = sealed_shards(store) if shards is None else shards
    if not numbers:
        raise DatasetNotFoundError(f"{root}: no manifest/*.parquet, so no shard to read yet")
    filters = None if status is None else [("status", "=", status)]
    names = None if columns is None else list(columns)

    def read(shard: int) -> pa.Table:
        source = pa.BufferReader(store.read(manifest_name(shard)))
        table = pq.read_table(source, columns=names, filters=filters)
        return table.replace_schema_metadata(None)

    with ThreadPoolExecutor(PARALLEL) as threads:
        return pa.concat_tables(threads.map(read, numbers))


class ShardReader:
    """Reads member bytes from tars. Picklable; safe after a fork."""

    def __init__(self, root: Path | str) -> None:
        """Read shards under `root`."""
        self._store = open_store(root)

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """Bytes of one member.

        Raises:
            OSError: the shard is missing or shorter than its manifest says.
        """
        data = self._store.read_range(shard_name(shard), offset, size)
        if len(data) != size:
            raise OSError(
                f"{self._store.where(shard_name(shard))}: {len(data)} of {size} bytes at {offset}; "
                "the shard is shorter than its manifest says: run gends-build verify"
            )
        return data
