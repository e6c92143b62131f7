"""The LMDB pair that BasicSR and its descendants read: gt.lmdb and lq.lmdb with equal keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from gends.pipeline.export.folder import SIZES_NAME, shape
from gends.pipeline.export.pair import Pair
from gends.pipeline.reading.reader import PARTS

MAP_SIZE = 1 << 42
"""Bytes of address space, and so the most that a database may hold; the disk is used as needed."""
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
    """
    with ExitStack() as databases:
        writers = {
            part: databases.enter_context(_database(folder / f"{part}.lmdb")) for part in PARTS
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

    def put(self, pair: Pair, data: bytes) -> None:
        self._transaction.put(pair.key.encode("ascii"), data)
        self._sizes.write(f"{pair.key}.{pair.suffix} ({shape(pair)}) {COMPRESSION}\n")
        self._waiting += 1
        if self._waiting == PAIRS_PER_COMMIT:
            self.commit()
            self._transaction, self._waiting = self._environment.begin(write=True), 0

    def commit(self) -> None:
        self._transaction.commit()

    def abort(self) -> None:
        self._transaction.abort()


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
