"""Where clean photographs come from: a folder tree, a list file, a Parquet table, tar shards."""

from __future__ import annotations

import csv
import dataclasses
import os
import reprlib
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gends.pipeline.names import own_id, path_problem, printable
from gends.pipeline.sources.samples import optional, read_tar
from gends.pipeline.sources.tars import members
from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import IMAGE_SUFFIXES, MOST_TEXT, SourceRow

COLUMNS = ("uri", "source_id", "dataset", "degradation", "caption", "split")
MOST_LINE = 1 << 16
"""Characters of a line in a list; no path is as long."""


class SourceError(ValueError):
    """A source of photographs that cannot be read; the message names it and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What the photographs of a source must not leave: its folder, unless that is allowed."""

    real: str
    outside: bool

    def leads_out(self, path: Path) -> bool:
        if self.outside:
            return False
        real = os.path.realpath(path)
        return real != self.real and not real.startswith(self.real.rstrip("/") + "/")

    def problem(self, what: str, path: Path) -> str | None:
        """What is wrong with a path that leads out, if it does."""
        if not self.leads_out(path):
            return None
        # Where to is not said: it would differ wherever the same photographs lie.
        return f"{what} leads outside the source's folder; copy it there, or allow it: --outside"


def base_folder(source: Path) -> Path:
    """Folder that relative URIs of the source start from."""
    return source if source.is_dir() else source.parent


def read_source(source: Path, *, outside: bool = False) -> Iterator[SourceRow]:
    """Yield the photographs of a source, in no particular order, in bounded memory.

    A folder is searched for images (a `.txt` file of the same stem is the caption) and for tar
    shards; `.txt` lists one path per line; `.csv` and `.tsv` have a header and `.parquet` columns
    among uri, source_id, dataset, degradation, caption, split. Only uri is required. What cannot
    be used alone gives a row with a `problem`: a damaged tar in a folder, a member whose facts
    cannot be read, a name with control characters, a path or link that leads outside the folder
    (allowed with `outside`).

    Raises:
        SourceError: the source is missing, unreadable, or of a kind that is not known.
    """
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    bounds = _Bounds(real=os.path.realpath(base_folder(source)), outside=outside)
    if source.is_dir():
        yield from _read_folder(source, bounds)
        return
    readers: dict[str, Callable[[Path], Iterator[SourceRow]]] = {
        ".txt": _read_lines,
        ".lst": _read_lines,
        ".csv": _read_table,
        ".tsv": _read_table,
        ".parquet": _read_parquet,
        ".tar": _read_only_tar,
    }
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise SourceError(
            f"{source}: a source is a folder or a file ending in {', '.join(readers)}; "
            "to use a single photograph, name its folder"
        )
    try:
        for row in reader(source):
            yield row if row.offset is not None or row.problem else _placed(row, source, bounds)
    except (SourceError, StorageError):
        raise
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise SourceError(f"{source}: {printable(str(error))}") from error


def _placed(row: SourceRow, source: Path, bounds: _Bounds) -> SourceRow:
    """A row of a list as it may be used: its path is spelled out and stays inside."""
    problem = path_problem(row.uri) or bounds.problem("its path", source.parent / row.uri)
    return _named(row, problem) if problem else row


def _named(row: SourceRow, problem: str | None) -> SourceRow:
    """The row with a `uri` that is safe to print."""
    own = row.source_id or own_id(row.uri)
    return dataclasses.replace(row, uri=printable(row.uri), source_id=own, problem=problem)


def _read_folder(root: Path, bounds: _Bounds) -> Iterator[SourceRow]:
    pending = [(root, frozenset([bounds.real]))]
    while pending:
        folder, above = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = Path(entry.path)
                    problem = bounds.problem("its link", path) if entry.is_symlink() else None
                    if _is_folder(entry):
                        real = os.path.realpath(path)
                        if problem:
                            yield _file_row(path, root, problem)
                        elif real not in above:  # a link back up would lead round for ever
                            pending.append((path, above | {real}))
                    elif path.suffix.lower() == ".tar":
                        yield from (
                            [_file_row(path, root, problem)] if problem else read_tar(path, root)
                        )
                    elif path.suffix.lower() in IMAGE_SUFFIXES:
                        yield _photograph(path, root, problem, bounds)
        except StorageError:
            raise
        except OSError as error:
            raise SourceError(
                f"{printable(str(folder))}: {error.strerror}; make it readable or move it"
            ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # On a link to itself DirEntry.is_dir() raises, and os.path.isdir() does not.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _photograph(path: Path, root: Path, problem: str | None, bounds: _Bounds) -> SourceRow:
    beside = path.with_suffix(".txt")
    if problem is None and beside.is_symlink():
        problem = bounds.problem("the link of its caption", beside)
    return _file_row(path, root, problem, None if problem else _caption(beside))


def _file_row(path: Path, root: Path, problem: str | None, caption: str | None = None) -> SourceRow:
    name = path.relative_to(root).as_posix()
    return _named(SourceRow(uri=name, caption=caption), path_problem(name) or problem)


def _caption(path: Path) -> str | None:
    try:
        with usable(path):
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_TEXT:
                return None  # reading it could last for ever
            return path.read_text(encoding="utf-8-sig").strip() or None
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def _read_lines(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8-sig") as lines:
        while line := lines.readline(MOST_LINE):
            if len(line) == MOST_LINE:
                raise SourceError(
                    f"{path}: a line of over {MOST_LINE} characters; a list has one path per line"
                )
            if line.strip():
                yield SourceRow(uri=line.rstrip("\n"))


def _read_table(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        _check_columns(path, reader.fieldnames or [])
        for row in reader:
            yield _row(path, row)


def _read_parquet(path: Path) -> Iterator[SourceRow]:
    table = pq.ParquetFile(pa.OSFile(os.fsencode(path)))  # a path would be read as a URL
    columns = [name for name in table.schema_arrow.names if name in COLUMNS]
    _check_columns(path, columns)
    for name in columns:
        _check_type(path, table.schema_arrow.field(name))
    for batch in table.iter_batches(batch_size=4096, columns=columns):
        for values in batch.to_pylist():
            yield _row(path, values)


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    if "uri" not in columns:
        raise SourceError(
            f"{path}: no column 'uri' among {printable(', '.join(columns)) or 'no columns'}; "
            f"known columns: {', '.join(COLUMNS)}"
        )


def _check_type(path: Path, column: pa.Field) -> None:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null)
    if not any(fits(kind) for fits in texts):
        raise SourceError(f"{path}: column {column.name!r} holds {kind}; make it text")


def _row(path: Path, values: dict[str, Any]) -> SourceRow:
    texts: dict[str, Any] = {name: text for name in COLUMNS if (text := optional(values.get(name)))}
    if "uri" not in texts:
        shown = reprlib.repr(values)
        raise SourceError(f"{path}: a row has no uri: {shown}; name its file or drop it")
    return SourceRow(**texts)


def _read_only_tar(path: Path) -> Iterator[SourceRow]:
    try:
        with open(path, "rb") as file:
            next(members(file), None)
    except tarfile.TarError as error:
        raise SourceError(f"{path}: no tar ({error}); repair it or name another source") from error
    yield from read_tar(path, path.parent)
