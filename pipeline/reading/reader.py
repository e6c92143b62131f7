"""Random access to the pairs of committed shards, through the manifests' byte ranges."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from gends.models.degrader import Image
from gends.pipeline.format.arrow_values import numbers, texts
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.decode import decode
from gends.pipeline.format.identity import check_there, read_identity
from gends.pipeline.format.manifest import (
    PARTS,
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
from gends.pipeline.format.png import Window
from gends.pipeline.reading.shard_cache import ShardCache
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import StorageError, Store, machine_fault, usable

PARALLEL = 8
"""Manifests read at a time: in an object store each costs a round trip."""

MOST_BYTES = 1 << 30
"""Of one member; the largest picture takes far less."""

MOST_BETWEEN = 1 << 20
"""Bytes between the pictures of a pair that are read along with them: there is its row."""

PAIR, BESIDE = PARTS[:2], PARTS[2:]
Bytes = bytes | memoryview


def setting_of(part: str) -> str:
    """What `members` of a build's configuration calls a part: a ground comes with its lq."""
    return part.removesuffix("_lq")


class DatasetNotFoundError(ValueError):
    """A root without a single committed shard."""


def read_manifest(
    root: Path | str,
    *,
    status: str | None = "accepted",
    columns: Sequence[str] | None = None,
    shards: Sequence[int] | None = None,
    where: pc.Expression | None = None,
    damaged: list[ManifestError] | None = None,
) -> pa.Table:
    """Rows of all manifests under a root as one table, in order of shard and key.

    Manifests of shards that are not in the plan are passed over. `where` is an expression over
    any columns; only rows of which it is true are kept. Where there is a list `damaged`, manifests
    that are damaged are left out and their errors added to it, in order of shard.

    Raises:
        DatasetNotFoundError: no manifest is there.
        IdentityError: manifests are there, and no dataset that they belong to.
        ManifestError: a manifest is damaged, or says what cannot be, and `damaged` is None.
        ValueError: `where` names a column that manifests do not have, compares what cannot be, or
            is neither true nor false of a row.
    """
    store = open_store(root)
    numbers = readable_shards(store) if shards is None else shards
    if not numbers:
        raise DatasetNotFoundError(f"{root}: no manifest/*.parquet, so no shard to read yet")
    names = list(SCHEMA.names if columns is None else columns)
    read_names = names if where is None else SCHEMA.names

    def read(shard: int) -> pa.Table | ManifestError:
        try:
            table = _checked_rows(store, shard, read_names)
        except ManifestError as error:
            if damaged is None:
                raise
            return error
        if status is not None:
            table = table.filter(pc.equal(table["status"], texts(status)[0]))
        return (table if where is None else _filtered(table, where)).select(names)

    with ThreadPoolExecutor(PARALLEL) as threads:
        found = list(threads.map(read, numbers))
    if damaged is not None:
        damaged += (one for one in found if isinstance(one, ManifestError))
    tables = [one for one in found if isinstance(one, pa.Table)]
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table().select(names)


def _filtered(table: pa.Table, where: pc.Expression) -> pa.Table:
    """Rows of which an expression is true, in their order."""
    from pyarrow import acero  # noqa: PLC0415  imports pandas, which reading needs for nothing else

    source = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    chosen = acero.Declaration("filter", acero.FilterNodeOptions(where), inputs=[source])
    try:
        return chosen.to_table(use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        what = str(error).partition("\n")[0].partition(" in key: ")[0]
        raise ValueError(
            f"where={where}: {what}; the columns are {', '.join(SCHEMA.names)}"
        ) from error


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
    if not _all(pc.equal(table["shard"], numbers([shard])[0])):
        raise ManifestError(where, "a row names another shard")
    if not _all(pc.is_in(table["status"], value_set=texts(*STATUSES))):
        raise ManifestError(where, f"a status is none of {', '.join(STATUSES)}")
    accepted = table.filter(pc.equal(table["status"], texts("accepted")[0]))
    none, size = numbers([0, int(facts["shard_size"])])
    for part in PARTS:
        held = accepted if part in PAIR else accepted.filter(_is_held(accepted, part))
        start, length = held[f"{part}_offset"], held[f"{part}_size"]
        # Each is looked at first, so that their sum cannot overflow.
        fits = [pc.and_(pc.greater_equal(n, none), pc.less_equal(n, size)) for n in (start, length)]
        if not all(map(_all, fits)) or not _all(pc.less_equal(pc.add(start, length), size)):
            raise ManifestError(where, f"a byte range of {part} leads outside of the shard")
    return table


def _is_held(rows: pa.Table, part: str) -> pa.ChunkedArray:
    return pc.or_(pc.is_valid(rows[f"{part}_offset"]), pc.is_valid(rows[f"{part}_size"]))


def _all(column: pa.ChunkedArray) -> bool:
    """Whether every value is true and none is missing."""
    return column.null_count == 0 and bool(pc.all(column, min_count=0).as_py())


class ShardReader:
    """Reads member bytes from tars. Picklable; safe after a fork on disks; on buckets, spawn."""

    def __init__(self, root: Path | str, cache: ShardCache | None = None) -> None:
        """Read shards under `root`; with a `cache` from the copies that it keeps."""
        self._store = open_store(root)
        self._cache = cache
        self.is_remote = "://" in str(root)

    def read(self, shard: int, offset: int, size: int, checksum: str | None = None) -> bytes:
        """Bytes of one member, compared with their BLAKE3 checksum if one is given.

        Raises:
            OSError: the shard is missing or shorter than its manifest says, the range is none, or
                the checksum is another.
        """
        data = self._range(shard, offset, size)
        self._check(data, shard, offset, size, checksum)
        return data

    def read_pair(self, row: Row) -> dict[str, Bytes]:
        """Bytes of both pictures of a pair, `gt` and `lq`, compared with their checksums.

        They are read at once where they stand together, as in all shards of a build.

        Raises:
            PairError: they are missing, or not those that were recorded.
            StorageError: the store does not answer.
        """
        if self._cache is None:
            return self._read_pair(row)
        try:
            return self._read_pair(row)
        except PairError:  # perhaps the copy is damaged and the shard is not
            with naming(row, "gt"):
                self._cache.drop(self._store, shard_name(row["shard"]))
            return self._read_pair(row)

    def _read_pair(self, row: Row) -> dict[str, Bytes]:
        first, last = row["gt_offset"], row["lq_offset"] + row["lq_size"]
        between = last - first - row["gt_size"] - row["lq_size"]
        if not 0 <= between <= MOST_BETWEEN or last - first > MOST_BYTES:
            return {part: self._read_part(row, part) for part in PAIR}
        with naming(row, "gt"):
            data = memoryview(self._range(row["shard"], first, last - first))
        found: dict[str, Bytes] = {}
        for part in PAIR:
            offset, size = row[f"{part}_offset"], row[f"{part}_size"]
            found[part] = data[offset - first : offset - first + size]
            with naming(row, part):
                self._check(found[part], row["shard"], offset, size, row[f"{part}_blake3"])
        return found

    def read_beside(self, row: Row, parts: Sequence[str] = BESIDE) -> dict[str, bytes]:
        """Bytes of what is stored beside a pair, by part, compared with their checksums.

        Raises:
            PairError: they are missing, or not those that were recorded.
            StorageError: the store does not answer.
        """
        held = [part for part in parts if row.get(f"{part}_size") is not None]
        return {part: self._read_again(row, part) for part in held}

    def _read_again(self, row: Row, part: str) -> bytes:
        """A part; where a copy of the shard is damaged, from another one."""
        try:
            return self._read_part(row, part)
        except PairError:
            if self._cache is None:
                raise
            with naming(row, part):
                self._cache.drop(self._store, shard_name(row["shard"]))
            return self._read_part(row, part)

    def _read_part(self, row: Row, part: str) -> bytes:
        place = (row["shard"], row[f"{part}_offset"], row[f"{part}_size"], row[f"{part}_blake3"])
        with naming(row, part):
            return self.read(*place)

    def _range(self, shard: int, offset: int, size: int) -> bytes:
        name = shard_name(shard)
        if offset < 0 or not 0 <= size <= MOST_BYTES:
            raise OSError(
                f"{self._store.where(name)}: no member has {size} bytes at {offset}; "
                "the manifest is wrong: run gends-build verify"
            )
        try:
            if self._cache is not None:
                return self._cache.read_range(self._store, name, offset, size)
            return self._store.read_range(name, offset, size)
        except (FileNotFoundError, NotADirectoryError):
            check_there(self._store)
            raise

    def _check(self, data: Bytes, shard: int, offset: int, size: int, checksum: str | None) -> None:
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


@contextlib.contextmanager
def naming(row: Row, part: str) -> Iterator[None]:
    """Say of which picture an error is."""
    where = f"{shard_name(row['shard'])} at byte {row[f'{part}_offset']}"
    try:
        with usable(where):
            yield
    except StorageError:
        raise  # which says nothing about the pair
    except PermissionError as error:
        raise machine_fault(error, where) from error
    except (OSError, ValueError) as error:
        raise PairError(f"{row['key']}.{part} in {where}: {error}") from error


def read_pictures(reader: ShardReader, row: Row, window: Window | None = None) -> dict[str, Image]:
    """Read, check and decode a pair, or a window of it: `gt` and `lq`, uint8 (H, W, 3) RGB.

    Raises:
        PairError: its bytes are missing, not those that were recorded, or no pictures.
        StorageError: the store does not answer.
    """
    pictures = {}
    for part, data in reader.read_pair(row).items():
        with naming(row, part):
            pictures[part] = decode(data, window)
    return pictures
