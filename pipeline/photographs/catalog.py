"""The frozen list of clean photographs of one build: sorted, deduplicated, read in slices."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.damage import DamageError
from gends.pipeline.names import printable, source_id, unknown
from gends.pipeline.photographs.encoded import ends_digest, num_bytes, read_bytes, written_ns
from gends.pipeline.sources.source import SourceError
from gends.pipeline.storage.store import StorageError, room_in, usable
from gends.pipeline.types import IMAGE_SUFFIXES, CleanImage, SourceRow

ROWS_PER_GROUP = 4096
_NUMBERS = ("offset", "size", "written_ns")
SCHEMA = pa.schema(
    [
        pa.field(f.name, pa.int64() if f.name in _NUMBERS else pa.string())
        for f in fields(CleanImage)
    ]
)
_DIGESTED = len(SCHEMA) - 1
"""Columns that the digest covers: all but `written_ns`, the last."""
_KNOWN_SCHEMAS = tuple(pa.schema(list(SCHEMA)[:count]) for count in (len(SCHEMA), -1, -2))
"""Catalogs of datasets that were begun before there were times and checksums can be read, too."""
_values = attrgetter(*SCHEMA.names)


class NoPhotographsError(SourceError):
    """A source in which there is nothing that counts as a photograph."""


class Catalog:
    """A catalog on disk. Memory holds one group of rows at a time."""

    def __init__(self, path: Path) -> None:
        """Open a catalog that `write_catalog` wrote.

        Raises:
            DamageError: it is no such file.
            StorageError: this machine cannot read it.
        """
        self.path = path
        try:
            # Opened here: of a path pyarrow would make a URL or a home folder where it can.
            with usable(path):
                file = pa.OSFile(os.fsencode(path))
                self._file = pq.ParquetFile(file, page_checksum_verification=True)
        except StorageError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DamageError(f"{path}: not a catalog: {printable(str(error))}") from error
        facts = self._file.metadata.metadata or {}
        known = any(self._file.schema_arrow.equals(schema) for schema in _KNOWN_SCHEMAS)
        if b"digest" not in facts or not known:
            raise DamageError(f"{path}: not a catalog that this gends wrote")
        self.digest: str = facts[b"digest"].decode("ascii", "backslashreplace")
        full, rest = divmod(len(self), ROWS_PER_GROUP)
        groups = [self._file.metadata.row_group(n).num_rows for n in range(self._num_groups)]
        if groups != [ROWS_PER_GROUP] * full + [rest] * bool(rest):
            raise DamageError(f"{path}: its rows are not grouped as this gends writes them")
        self._group_index = -1
        self._group: list[CleanImage] = []

    def __len__(self) -> int:
        """Photographs, duplicates included."""
        return int(self._file.metadata.num_rows)

    def rows(self, start: int, stop: int) -> Iterator[CleanImage]:
        """Photographs `start` to `stop` (exclusive, cut at the end), in order of source_id."""
        for row in range(start, min(stop, len(self))):
            group, position = divmod(row, ROWS_PER_GROUP)
            if group != self._group_index:
                self._group = [CleanImage(**v) for v in self._read(group).to_pylist()]
                self._group_index = group
            yield self._group[position]

    def check(self) -> None:
        """Read all of it.

        Raises:
            DamageError: rows are damaged.
        """
        for group in range(self._num_groups):
            self._read(group)

    def facts(self) -> Iterator[pa.Table]:
        """What decides which pairs are made of each photograph, a group of rows at a time."""
        for group in range(self._num_groups):
            yield self._read(group, ["dataset", "degradation", "problem", "duplicate_of"])

    def there(self, folder: str = "") -> Iterator[tuple[str, int | None]]:
        """uri and offset of what was there when it was listed, of all or below a folder."""
        for group in range(self._num_groups):
            rows = self._read(group, ["uri", "offset", "size", "problem"])
            wanted = pc.and_(pc.is_valid(rows["size"]), pc.is_null(rows["problem"]))
            if folder:
                inside = pc.starts_with(rows["uri"], folder.rstrip("/") + "/")
                wanted = pc.and_(wanted, inside)
            rows = rows.filter(wanted)
            yield from zip(rows["uri"].to_pylist(), rows["offset"].to_pylist(), strict=True)

    @property
    def _num_groups(self) -> int:
        return int(self._file.num_row_groups)

    def _read(self, group: int, columns: list[str] | None = None) -> pa.Table:
        try:
            with usable(self.path):
                return self._file.read_row_group(group, columns=columns, use_threads=False)
        except StorageError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DamageError(
                f"{self.path}: damaged: {printable(str(error))}; bring it back from a copy, or "
                "have it written again by the command that began the dataset"
            ) from error


def write_catalog(
    rows: Iterable[SourceRow],
    destination: str | os.PathLike[str] | BinaryIO,
    *,
    base: Path,
    default_dataset: str,
    default_degradation: str | None = None,
    dedupe: bool = True,
    limit: int | None = None,
) -> int:
    """Sort, name and deduplicate photographs and write them as a catalog; returns their number.

    Sorting goes through SQLite on disk, so memory does not grow with the number of photographs.
    Only files of equal size are hashed to find duplicates. A path that is listed again is a
    duplicate too. A row of unknown degradation, or of a source_id that is not allowed or taken,
    becomes one with a `problem`. Nothing is written when no photograph can be used. The catalog's
    digest covers its rows and, so that a photograph which was replaced is noticed, the size of each
    file and a checksum of its ends (see `ends_digest`).

    Raises:
        SourceError: there is no photograph that can be used.
        StorageError: the temporary folder has no room for sorting.
    """
    defaults = (default_dataset, default_degradation)
    with _sorting_room(), tempfile.TemporaryDirectory(prefix="gends-catalog-") as folder:
        database = sqlite3.connect(Path(folder) / "catalog.sqlite")
        with contextlib.closing(database):
            images = ((row, _clean_image(row, base, defaults)) for row in rows)
            _fill(database, images, dedupe=dedupe)
            if dedupe:
                _mark_duplicates(database, base)
            _check_usable(database, limit)
            return _write_sorted(database, destination, limit)


@contextlib.contextmanager
def _sorting_room() -> Iterator[None]:
    advice = "photographs are sorted there: make room, or name another folder in TMPDIR"
    with room_in(tempfile.gettempdir(), advice):
        try:
            yield
        except sqlite3.OperationalError as error:
            if "disk is full" not in str(error):  # no code before Python 3.11
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _fill(
    database: sqlite3.Connection,
    images: Iterable[tuple[SourceRow, CleanImage]],
    *,
    dedupe: bool,
) -> None:
    database.execute(f"CREATE TABLE images ({', '.join(SCHEMA.names)}, PRIMARY KEY (source_id))")
    values = f"INTO images VALUES ({', '.join('?' * len(SCHEMA.names))})"
    again: Counter[str] = Counter()
    for row, image in images:
        # A member that a tar holds twice was appended anew: the later one counts.
        verb = "INSERT" if row.offset is None else "INSERT OR REPLACE"
        try:
            database.execute(f"{verb} {values}", _values(image))
        except sqlite3.IntegrityError:
            again[image.source_id] += 1
            known = "SELECT uri FROM images WHERE source_id = ?"
            ((uri,),) = database.execute(known, (image.source_id,))
            # No path holds the zero.
            renamed = replace(image, source_id=source_id(f"{row.uri}\0{again[image.source_id]}"))
            if uri == row.uri:
                repeated = replace(renamed, duplicate_of=row.uri if dedupe else None)
            else:
                taken = (
                    f"its source_id {image.source_id!r} is that of {uri}; give it one of its own"
                )
                repeated = replace(renamed, problem=image.problem or taken, ends_blake3=None)
            database.execute(f"INSERT {values}", _values(repeated))


def _clean_image(row: SourceRow, base: Path, defaults: tuple[str, str | None]) -> CleanImage:
    dataset, degradation = defaults
    problem = row.problem or _problem(row)
    known = row.degradation in OPERATIONS
    size = num_bytes(base, row)
    return CleanImage(
        source_id=_chosen_id(row) or source_id(row.uri),
        uri=row.uri,
        dataset=printable(row.dataset or dataset),
        degradation=row.degradation if known else None if row.degradation else degradation,
        caption=row.caption,
        split=printable(row.split or "train"),
        offset=row.offset,
        size=size,
        problem=problem,
        ends_blake3=None if problem else ends_digest(base, row, size),
        written_ns=None if size is None or problem else written_ns(base, row.uri, row.offset),
    )


def _chosen_id(row: SourceRow) -> str | None:
    """The id that a row brings, if it is one: keys and names of tar members are made from it."""
    fits = row.source_id is not None and re.fullmatch(r"[A-Za-z0-9_]{1,64}", row.source_id)
    return row.source_id if fits else None


def _problem(row: SourceRow) -> str | None:
    """Why a row cannot be used for what it says of its photograph."""
    if row.source_id is not None and _chosen_id(row) is None:
        shown = printable(row.source_id)
        return f"its source_id {shown!r:.70} must be 1 to 64 letters, digits and underscores"
    if row.degradation is not None and row.degradation not in OPERATIONS:
        return unknown(row.degradation, OPERATIONS, "degradation")
    for what, name in (("dataset", row.dataset), ("split", row.split)):
        if name is not None and printable(name) != name:
            return f"the name of its {what} holds control characters: {printable(name):.60}"
    return None


def _mark_duplicates(database: sqlite3.Connection, base: Path) -> None:
    database.execute("CREATE TABLE hashes (source_id PRIMARY KEY, hash) WITHOUT ROWID")
    same_size = database.execute(
        f"SELECT {', '.join(SCHEMA.names)} FROM images WHERE problem IS NULL AND "
        "duplicate_of IS NULL AND size IN "
        "(SELECT size FROM images WHERE size > 0 GROUP BY size HAVING COUNT(*) > 1)"
    )
    for values in same_size:
        image = CleanImage(**dict(zip(SCHEMA.names, values, strict=True)))
        try:
            digest = blake3(read_bytes(base, image)).digest()
        except StorageError:
            raise
        except OSError:
            continue  # loading it will fail, with a row that says why
        database.execute("INSERT INTO hashes VALUES (?, ?)", (image.source_id, digest))
    database.execute("CREATE TABLE firsts (hash PRIMARY KEY, source_id) WITHOUT ROWID")
    database.execute("INSERT INTO firsts SELECT hash, MIN(source_id) FROM hashes GROUP BY hash")
    database.execute(
        "UPDATE images SET duplicate_of = (SELECT earlier.uri FROM hashes JOIN firsts USING (hash) "
        "JOIN images AS earlier ON earlier.source_id = firsts.source_id "
        "WHERE hashes.source_id = images.source_id AND firsts.source_id < images.source_id) "
        "WHERE source_id IN (SELECT source_id FROM hashes)"
    )


def _check_usable(database: sqlite3.Connection, limit: int | None) -> None:
    """Stop before a dataset of nothing but failures is founded."""
    listed = "(SELECT uri, problem FROM images ORDER BY source_id LIMIT ?)"
    most = (-1 if limit is None else limit,)
    counted = f"SELECT SUM(problem IS NULL), COUNT(*) FROM {listed}"
    usable, count = database.execute(counted, most).fetchone()
    if count == 0:
        raise NoPhotographsError(
            f"no photographs found; files count as such that end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}, also inside .tar files"
        )
    if not usable:
        uri, problem = database.execute(f"SELECT * FROM {listed}", most).fetchone()
        raise SourceError(
            f"none of the {count} photographs can be used; the first is {uri}: {problem}"
        )


def _write_sorted(
    database: sqlite3.Connection,
    destination: str | os.PathLike[str] | BinaryIO,
    limit: int | None,
) -> int:
    cursor = database.execute(
        f"SELECT {', '.join(SCHEMA.names)} FROM images ORDER BY source_id LIMIT ?",
        (-1 if limit is None else limit,),
    )
    digest = blake3()
    count = 0
    with contextlib.ExitStack() as stack:
        if isinstance(destination, str | os.PathLike):
            destination = stack.enter_context(open(destination, "wb"))
        writer = stack.enter_context(
            pq.ParquetWriter(destination, SCHEMA, compression="zstd", write_page_checksum=True)
        )
        while rows := cursor.fetchmany(ROWS_PER_GROUP):
            digest.update(repr([row[:_DIGESTED] for row in rows]).encode())
            count += len(rows)
            columns = [list(column) for column in zip(*rows, strict=True)]
            writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=len(rows))
        writer.add_key_value_metadata({"digest": digest.hexdigest()})
    return count
