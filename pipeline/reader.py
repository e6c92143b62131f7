"""Random access to the pairs of committed shards, through the manifests' byte ranges."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gends.pipeline.manifest import manifest_name, sealed_shards, shard_name
from gends.pipeline.store import Store

MOST_OPEN = 64
"""Shards a reader keeps open: random access to many shards must not run out of descriptors."""


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
    store = Store(root)
    numbers = sealed_shards(store) if shards is None else shards
    if not numbers:
        raise DatasetNotFoundError(f"{root}: no manifest/*.parquet, so no shard to read yet")
    filters = None if status is None else [("status", "=", status)]
    names = None if columns is None else list(columns)
    tables = [
        pq.read_table(store.path(manifest_name(n)), columns=names, filters=filters) for n in numbers
    ]
    return pa.concat_tables([table.replace_schema_metadata(None) for table in tables])


class _OpenFile:
    """A descriptor that is closed when the last thread reading from it lets go."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class ShardReader:
    """Reads member bytes from tars, keeping the last few open. Picklable; safe after a fork."""

    def __init__(self, root: Path | str) -> None:
        """Read shards under `root`."""
        self._store = Store(root)
        self._files: dict[int, _OpenFile] = {}

    def __getstate__(self) -> dict[str, object]:
        """Everything but the open files."""
        return {"_store": self._store, "_files": {}}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Start without open files."""
        self.__dict__ |= state

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """Bytes of one member.

        Raises:
            OSError: the shard is missing or shorter than its manifest says.
        """
        file = self._files.pop(shard, None) or _OpenFile(self._store.path(shard_name(shard)))
        self._files[shard] = file  # at the end: the least recently read comes first
        # Another thread may be at the same: then it, or the next read, closes what is too many.
        with contextlib.suppress(RuntimeError, StopIteration):
            while len(self._files) > MOST_OPEN:
                self._files.pop(next(iter(self._files)), None)
        data = os.pread(file.descriptor, size, offset)
        if len(data) != size:
            raise OSError(
                f"{self._store.path(shard_name(shard))}: {len(data)} of {size} bytes at {offset}; "
                "the shard is shorter than its manifest says: run gends-build verify"
            )
        return data
