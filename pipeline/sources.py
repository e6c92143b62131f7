"""Where clean photographs come from: a folder tree, a list file, a Parquet table, tar shards."""

from __future__ import annotations

import csv
import itertools
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

IMAGE_SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".jp2",
        ".avif",
    }
)
COLUMNS = ("uri", "source_id", "dataset", "degradation", "caption", "split")


class SourceError(ValueError):
    """A source of photographs that cannot be read; the message names it and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One photograph as its source describes it."""

    uri: str
    source_id: str | None = None
    dataset: str | None = None
    degradation: str | None = None
    caption: str | None = None
    split: str | None = None
    offset: int | None = None
    size: int | None = None
    problem: str | None = None
    """Why the photograph cannot be used, found while it was listed."""


def base_folder(source: Path) -> Path:
    """Folder that relative URIs of the source start from."""
    return source if source.is_dir() else source.parent


def read_source(source: Path) -> Iterator[SourceRow]:
    """Yield the photographs of a source, in no particular order, in bounded memory.

    A folder is searched for images (a `.txt` file of the same stem is the caption) and for tar
    shards; `.txt` lists one path per line; `.csv` and `.tsv` have a header and `.parquet` columns
    among uri, source_id, dataset, degradation, caption, split. Only uri is required. A damaged tar
    in a folder, or a member whose facts cannot be read, gives a row with a `problem`.

    Raises:
        SourceError: the source is missing, unreadable, or of a kind that is not known.
    """
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if source.is_dir():
        yield from _read_folder(source)
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
        yield from reader(source)
    except SourceError:
        raise
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise SourceError(f"{source}: {error}") from error


def _read_folder(root: Path) -> Iterator[SourceRow]:
    pending = [(root, frozenset([os.path.realpath(root)]))]
    while pending:
        folder, above = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = Path(entry.path)
                    if _is_folder(entry):
                        real = os.path.realpath(path)
                        if real not in above:  # a link back up would lead round for ever
                            pending.append((path, above | {real}))
                    elif path.suffix.lower() == ".tar":
                        yield from _read_tar(path, root)
                    elif path.suffix.lower() in IMAGE_SUFFIXES:
                        yield _file_row(path, root)
        except OSError as error:
            raise SourceError(f"{folder}: {error.strerror}; make it readable or move it") from error


def _file_row(path: Path, root: Path) -> SourceRow:
    name = path.relative_to(root).as_posix()
    uri = _text(name)
    problem = None if uri == name else "its name is not UTF-8; rename it"
    return SourceRow(uri=uri, caption=_sidecar(path), problem=problem)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # On a link to itself DirEntry.is_dir() raises, and os.path.isdir() does not.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _text(name: str) -> str:
    """A file name as text: bytes that are not UTF-8 are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _sidecar(path: Path) -> str | None:
    try:
        return path.with_suffix(".txt").read_text(encoding="utf-8-sig").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _read_lines(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8-sig") as lines:
        for line in lines:
            if line.strip():
                yield SourceRow(uri=line.rstrip("\n"))


def _read_table(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        _check_columns(path, reader.fieldnames or [])
        for row in reader:
            yield _row(path, row)


def _read_parquet(path: Path) -> Iterator[SourceRow]:
    table = pq.ParquetFile(path)
    columns = [name for name in table.schema_arrow.names if name in COLUMNS]
    _check_columns(path, columns)
    for batch in table.iter_batches(batch_size=4096, columns=columns):
        for values in batch.to_pylist():
            yield _row(path, values)


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    if "uri" not in columns:
        raise SourceError(
            f"{path}: no column 'uri' among {', '.join(columns) or 'no columns'}; "
            f"known columns: {', '.join(COLUMNS)}"
        )


def _row(path: Path, values: dict[str, Any]) -> SourceRow:
    texts: dict[str, Any] = {
        name: text for name in COLUMNS if (text := _optional(values.get(name)))
    }
    if "uri" not in texts:
        raise SourceError(f"{path}: a row has no uri: {values}; name its file or drop it")
    return SourceRow(**texts)


def _read_only_tar(path: Path) -> Iterator[SourceRow]:
    try:
        tarfile.open(path, "r:").close()
    except tarfile.TarError as error:
        raise SourceError(f"{path}: no tar ({error}); repair it or name another source") from error
    yield from _read_tar(path, path.parent)


def _read_tar(path: Path, root: Path) -> Iterator[SourceRow]:
    """Members sharing a stem belong together: an image, its caption (.txt), its facts (.json).

    A damaged tar gives the samples that are known to be whole, and a row under its own name that
    says what is wrong: of the last sample before the damage nobody knows what more belonged to it.
    """
    uri = _text(path.relative_to(root).as_posix())
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for _, sample in itertools.groupby(_files(archive, file), key=_stem):
                yield from _tar_sample(archive, uri, list(sample))
    except Exception as error:  # broken headers raise anything from struct.error to RecursionError
        reason = getattr(error, "strerror", None) or str(error)
        yield SourceRow(uri=uri, problem=f"the tar cannot be read to its end: {reason}")


def _files(archive: tarfile.TarFile, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    while member := archive.next():
        # The archive would remember every member it has seen.
        archive.members = []  # type: ignore[attr-defined]
        if member.size < 0:  # it would lead back to an earlier member, round for ever
            raise tarfile.ReadError(f"a member of {member.size} bytes")
        if member.isfile():
            yield member
    # A header that makes no sense ends a tar for tarfile, as blocks of zeros do.
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError(f"no header at byte {archive.offset}")


def _stem(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[0]


def _tar_sample(
    archive: tarfile.TarFile, uri: str, members: list[tarfile.TarInfo]
) -> Iterator[SourceRow]:
    sample = {f".{member.name.rpartition('.')[2].lower()}": member for member in members}
    facts, problem = _facts(archive, sample.get(".json"))
    caption = _caption(archive, sample.get(".txt")) or facts.get("caption")
    for suffix in sorted(sample.keys() & IMAGE_SUFFIXES):
        member = sample[suffix]
        yield SourceRow(
            uri=f"{uri}!{_text(member.name)}",
            dataset=_optional(facts.get("dataset")),
            degradation=_optional(facts.get("degradation")),
            caption=_optional(caption),
            split=_optional(facts.get("split")),
            offset=member.offset_data,
            size=member.size,
            problem=problem,
        )


def _facts(
    archive: tarfile.TarFile, member: tarfile.TarInfo | None
) -> tuple[dict[str, Any], str | None]:
    """What a member says in JSON, and what is wrong with it."""
    if member is None:
        return {}, None
    try:
        facts = json.loads(_content(archive, member))
    except (ValueError, RecursionError) as error:
        return {}, f"{_text(member.name)}: expected a JSON object: {error}"
    if not isinstance(facts, dict):
        kind = type(facts).__name__
        return {}, f"{_text(member.name)}: expected a JSON object, got a {kind}"
    return facts, None


def _caption(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> str | None:
    try:
        return _content(archive, member).decode("utf-8-sig").strip() if member else None
    except UnicodeDecodeError:
        return None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _optional(value: Any) -> str | None:
    if value is None or value == "":
        return None
    # JSON can spell half a character, which no storage takes.
    return str(value).encode("utf-8", "backslashreplace").decode()
