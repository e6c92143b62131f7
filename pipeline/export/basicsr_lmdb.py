"""The LMDB pair that BasicSR and its descendants read: gt.lmdb and lq.lmdb with equal keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from gends.pipeline.export.folder import SIZES_NAME, shape
from gends.pipeline.export.pair import Pair
from gends.pipeline.reading.reader import PAIR
from gends.pipeline.storage.store import StorageError

MAP_SIZE = 1 << 30
"""Bytes of address space that a database begins with; it is doubled where they do not suffice."""
PAGE = 4096
PAIRS_PER_COMMIT = 1000
COMPRESSION = 1
"""What the lists call the level of compression: BasicSR's own default, which nothing reads."""


def write_basicsr_lmdb(pairs: Iterable[Pair], folder: Path, out: Path) -> list[str]:
    """Write both databases and their lists; the values are the shards' own bytes.

    Each database is a folder of data.mdb, lock.mdb and meta_info.txt, whose lines are
    `KEY.png (height,width,channels) level`. The key of a picture is its name without the suffix;
    BasicSR takes all before the first dot, and keys have none.

    Raises:
        ValueError: the library lmdb is not installed.
        StorageError: this process may not have as much address space as a database takes.
    """
    with ExitStack() as databases:
        writers = {
            part: databases.enter_context(_database(folder / f"{part}.lmdb")) for part in PAIR
        }
        for pair in pairs:
            for part, writer in writers.items():
                writer.put(pair, getattr(pair, part))
    return ["options: io_backend: {type: lmdb}, dataroot_gt: gt.lmdb, dataroot_lq: lq.lmdb"]


class _Writer:
    def __init__(self, environment: Any, sizes: Any) -> None:
        self._environment = environment
        self._sizes = sizes
        self._transaction = environment.begin(write=True)
        self._waiting = 0
        self._map_size, self._used = MAP_SIZE, 16 * PAGE

    def put(self, pair: Pair, data: bytes) -> None:
        self._make_room(len(data))
        self._transaction.put(pair.key.encode("ascii"), data)
        self._sizes.write(f"{pair.key}.{pair.suffix} ({shape(pair)}) {COMPRESSION}\n")
        self._waiting += 1
        if self._waiting == PAIRS_PER_COMMIT:
            self.commit()
            self._begin()

    def _make_room(self, size: int) -> None:
        """Enlarge the map before a value that may not fit: within a transaction nobody can."""
        # Its own pages, and a share of those that lead to it; a commit leaves old ones behind.
        self._used += size + 4 * PAGE
        if self._used > self._map_size:
            while self._used > self._map_size:
                self._map_size *= 2
            self.commit()
            self._environment.set_mapsize(self._map_size)
            self._begin()

    def _begin(self) -> None:
        self._transaction, self._waiting = self._environment.begin(write=True), 0

    def commit(self) -> None:
        self._transaction.commit()

    def abort(self) -> None:
        self._transaction.abort()


@contextmanager
def _enough_address_space(lmdb: Any, folder: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.MemoryError as error:
        raise StorageError(
            f"{folder}: a database takes as much address space as it has bytes, and this process "
            "may not have so much: raise its limit (ulimit -v), or export fewer pairs at a time "
            "(--degradation, --split, --limit)"
        ) from error


@contextmanager
def _database(folder: Path) -> Iterator[_Writer]:
    try:
        lmdb: Any = import_module("lmdb")
    except ImportError as error:
        raise ValueError(
            "this format needs the library lmdb: pip install 'gends[export]'"
        ) from error
    folder.mkdir()
    # Synced once, at the end: until then the folder has no name that anybody reads.
    with (
        _enough_address_space(lmdb, folder),
        lmdb.open(str(folder), map_size=MAP_SIZE, sync=False) as environment,
        open(folder / SIZES_NAME, "w", encoding="ascii") as sizes,
    ):
        writer = _Writer(environment, sizes)
        try:
            yield writer
        except BaseException:
            writer.abort()
            raise
        writer.commit()
        environment.sync(True)
