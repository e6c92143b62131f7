"""Pairs on their way out of the shards: encoded bytes, checked and not decoded."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from gends.pipeline.format.damage import PairError
from gends.pipeline.format.manifest import Row, manifest_name
from gends.pipeline.names import printable
from gends.pipeline.reading.reader import PARALLEL, ShardReader

_NAME = re.compile(r"[A-Za-z0-9_+-]{1,100}")
"""Of keys and degradations: they become file names."""
_SIGNATURES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "jpg": re.compile(rb"\xff\xd8\xff"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One accepted pair: its manifest row, and the bytes of both pictures as they are stored."""

    row: Row
    gt: bytes
    lq: bytes
    members: dict[str, bytes] = field(default_factory=dict)
    """What is stored beside it and was asked for, by part: PNG."""

    @property
    def key(self) -> str:
        """Name of the pair, fit to be a file's."""
        return str(self.row["key"])

    @property
    def degradation(self) -> str:
        """Fit to be a folder's name."""
        return str(self.row["degradation"])

    @property
    def suffix(self) -> str:
        """`png`, `webp` or `jpg`: what both pictures are encoded as."""
        return next(name for name, start in _SIGNATURES.items() if start.match(self.gt))


def read_pairs(
    root: Path | str,
    tables: Iterable[pa.Table],
    *,
    on_damage: Callable[[PairError], None],
    members: Sequence[str] = (),
) -> Iterator[Pair]:
    """Read the pairs of manifest rows with these members, in their order and a few at a time.

    A damaged pair is given to `on_damage`, which raises it or lets the next one come.

    Raises:
        PairError: what `on_damage` raises.
        StorageError: the store does not answer.
    """
    reader = ShardReader(root)

    def read(row: Row) -> Pair | PairError:
        try:
            return _read(reader, row, members)
        except PairError as error:
            return error

    with ThreadPoolExecutor(PARALLEL) as threads:
        waiting: deque[Future[Pair | PairError]] = deque()
        for row in _rows(tables):
            waiting.append(threads.submit(read, row))
            if len(waiting) >= 2 * PARALLEL:
                yield from _finished(waiting, on_damage)
        while waiting:
            yield from _finished(waiting, on_damage)


def _rows(tables: Iterable[pa.Table]) -> Iterator[Row]:
    for table in tables:
        for batch in table.to_batches(max_chunksize=256):
            yield from batch.to_pylist()


def _finished(
    waiting: deque[Future[Pair | PairError]], on_damage: Callable[[PairError], None]
) -> Iterator[Pair]:
    found = waiting.popleft().result()
    if isinstance(found, PairError):
        on_damage(found)
    else:
        yield found


def _read(reader: ShardReader, row: Row, members: Sequence[str]) -> Pair:
    for column in ("key", "degradation"):
        if not _NAME.fullmatch(row[column] or ""):
            raise PairError(
                f"{manifest_name(row['shard'])}: {printable(str(row[column])):.100} is no {column} "
                "that can name a file; run gends-build verify"
            )
    found = {part: bytes(data) for part, data in reader.read_pair(row).items()}
    for part, data in found.items():
        if not any(start.match(data) for start in _SIGNATURES.values()):
            raise PairError(f"{row['key']}.{part}: neither PNG, WebP nor JPEG")
    return Pair(row=row, members=reader.read_beside(row, members), **found)
