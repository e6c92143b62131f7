"""Where clean photographs come from: a folder tree, a list file, a Parquet table, tar shards."""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from gends.pipeline.names import path_problem, printable, source_id
from gends.pipeline.sources.folders import Bounds, named, read_folder
from gends.pipeline.sources.lines import read_list
from gends.pipeline.sources.own_output import made_around, refusal
from gends.pipeline.sources.passed_over import PassedOver
from gends.pipeline.sources.samples import read_tar
from gends.pipeline.sources.source_options import SourceOptions
from gends.pipeline.sources.tables import read_csv, read_parquet
from gends.pipeline.sources.tars import members
from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import MOST_PATH, MOST_TEXT_OF_ROW, SourceRow


class SourceError(ValueError):
    """A source of photographs that cannot be read; the message names it and the way out."""


def base_folder(source: Path) -> Path:
    """Folder that relative URIs of the source start from."""
    return source if source.is_dir() else source.parent


def read_source(
    source: Path,
    *,
    outside: bool = False,
    member: tuple[str, ...] = (),
    own_output: bool = False,
    passed_over: PassedOver | None = None,
) -> Iterator[SourceRow]:
    """Yield the photographs of a source, in no particular order, in bounded memory.

    A folder is searched for images (a `.txt` file of the same stem is the caption) and for tar
    shards; `.txt` lists one path per line; `.csv` and `.tsv` have a header and `.parquet` columns
    among uri, source_id, dataset, degradation, caption, split. Only uri is required. What cannot
    be used alone gives a row with a `problem`: a damaged tar in a folder, a member whose facts
    cannot be read, a name with control characters, a path or link that leads outside the folder
    (allowed with `outside`), a line that is too long or names no file.

    Args:
        source: folder or file.
        outside: use what a path or link leads to outside of the source's folder.
        member: which images of a tar sample are photographs; see `samples.photographs`.
        own_output: read what gends made too, whose pictures are degraded ones.
        passed_over: counts what is no photograph and is not used.

    Raises:
        SourceError: the source is missing, unreadable, of a kind that is not known, or made by
            gends; or it has to be said how it is meant.
        StorageError: this machine or its disk cannot read it.
    """
    options = SourceOptions(
        outside=outside,
        member=member,
        own_output=own_output,
        passed_over=PassedOver() if passed_over is None else passed_over,
    )
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    try:
        with usable(source):
            _check_not_own(source, options)
            for row in _read(source, options):
                yield _usable(row)
    except (SourceError, StorageError):
        raise  # the latter says nothing of the source
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        said = printable(str(error))
        raise SourceError(
            said if said.startswith(printable(str(source))) else f"{source}: {said}"
        ) from error


def _read(source: Path, options: SourceOptions) -> Iterator[SourceRow]:
    bounds = Bounds(real=os.path.realpath(base_folder(source)), outside=options.outside)
    if source.is_dir():
        yield from read_folder(source, bounds, options)
        return
    readers: dict[str, Callable[[Path, SourceOptions], Iterator[SourceRow]]] = {
        ".txt": read_list,
        ".lst": read_list,
        ".csv": read_csv,
        ".tsv": read_csv,
        ".parquet": read_parquet,
        ".tar": _read_only_tar,
    }
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise SourceError(
            f"{source}: a source is a folder or a file ending in {', '.join(readers)}; "
            "to use a single photograph, name its folder"
        )
    made = functools.lru_cache(1024)(made_around)
    for row in reader(source, options):
        if row.offset is not None or row.problem:
            yield row
        else:
            yield _placed(row, source, bounds, None if options.own_output else made)


def _check_not_own(source: Path, options: SourceOptions) -> None:
    if options.own_output:
        return
    if found := made_around(str(source if source.is_dir() else source.parent)):
        folder, what = found
        raise SourceError(refusal(f"{source}: {printable(folder)}", what))


def _placed(
    row: SourceRow,
    source: Path,
    bounds: Bounds,
    made: Callable[[str], tuple[str, str] | None] | None,
) -> SourceRow:
    """A row of a list as it may be used: its path is spelled out and stays inside."""
    problem = path_problem(row.uri) or bounds.problem("its path", source.parent / row.uri)
    if problem is None and made and (found := made(os.path.dirname(source.parent / row.uri))):
        problem = f"it lies in {found[1]}, which gends made; name the original photograph"
    return named(row, problem) if problem else row


def _usable(row: SourceRow) -> SourceRow:
    """The row without texts that no catalog takes; the first of them is its problem."""
    changes: dict[str, Any] = {}
    problem = row.problem
    for name in ("source_id", "dataset", "degradation", "caption", "split"):
        if said := _text_problem(getattr(row, name)):
            changes[name] = None
            problem = problem or f"its {name} {said}"
    if len(row.uri) > MOST_PATH:
        problem = f"its path has {len(row.uri)} characters, over the most of {MOST_PATH}"
        changes |= {"uri": f"{row.uri[:200]}…", "source_id": source_id(row.uri)}
    return dataclasses.replace(row, **changes, problem=problem) if changes else row


def _text_problem(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > MOST_TEXT_OF_ROW:
        return f"is longer than {MOST_TEXT_OF_ROW} characters; shorten it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8; save it as UTF-8"
    return None


def _read_only_tar(path: Path, options: SourceOptions) -> Iterator[SourceRow]:
    try:
        with open(path, "rb") as file:
            next(members(file), None)
    except tarfile.TarError as error:
        raise SourceError(f"{path}: no tar ({error}); repair it or name another source") from error
    yield from read_tar(path, path.parent, options)
