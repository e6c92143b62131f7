"""Where clean photographs come from: a folder tree, a list file, a Parquet table, tar shards."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".jp2", ".avif"}
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


def base_folder(source: Path) -> Path:
    """Folder that relative URIs of the source start from."""
    return source if source.is_dir() else source.parent


def read_source(source: Path) -> Iterator[SourceRow]:
    """Yield the photographs of a source, in no particular order, in bounded memory.

    A folder is searched for images (a `.txt` file of the same stem is the caption) and for tar
    shards; `.txt` lists one path per line; `.csv` and `.tsv` have a header and `.parquet` columns
    among uri, source_id, dataset, degradation, caption, split. Only uri is required.

    Raises:
        SourceError: the source is missing, unreadable, or of a kind that is not known.
    """
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if source.is_dir():
        yield from _read_folder(source)
        return
    readers = {
        ".txt": _read_lines,
        ".lst": _read_lines,
        ".csv": _read_table,
        ".tsv": _read_table,
        ".parquet": _read_parquet,
        ".tar": lambda path: _read_tar(path, path.parent),
    }
    reader = readers.get(source.suffix.lower())
    if reader is None:
        raise SourceError(
            f"{source}: a source is a folder or a file ending in {', '.join(readers)}; "
            "to use a single photograph, name its folder"
        )
    yield from reader(source)


def _read_folder(root: Path) -> Iterator[SourceRow]:
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = Path(entry.path)
                    if entry.is_dir():
                        pending.append(path)
                    elif path.suffix.lower() == ".tar":
                        yield from _read_tar(path, root)
                    elif path.suffix.lower() in IMAGE_SUFFIXES:
                        yield SourceRow(
                            uri=path.relative_to(root).as_posix(), caption=_sidecar(path)
                        )
        except OSError as error:
            raise SourceError(f"{folder}: {error.strerror}; make it readable or move it") from error


def _sidecar(path: Path) -> str | None:
    try:
        return path.with_suffix(".txt").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _read_lines(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield SourceRow(uri=line.rstrip("\n"))


def _read_table(path: Path) -> Iterator[SourceRow]:
    with open(path, encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        _check_columns(path, reader.fieldnames or [])
        for row in reader:
            yield _row(row)


def _read_parquet(path: Path) -> Iterator[SourceRow]:
    table = pq.ParquetFile(path)
    columns = [name for name in table.schema_arrow.names if name in COLUMNS]
    _check_columns(path, columns)
    for batch in table.iter_batches(batch_size=4096, columns=columns):
        yield from map(_row, batch.to_pylist())


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    if "uri" not in columns:
        raise SourceError(
            f"{path}: no column 'uri' among {', '.join(columns) or 'no columns'}; "
            f"known columns: {', '.join(COLUMNS)}"
        )


def _row(values: dict[str, str | None]) -> SourceRow:
    return SourceRow(
        **{name: values.get(name) or None for name in COLUMNS if name != "uri"},
        uri=str(values["uri"]),
    )


def _read_tar(path: Path, root: Path) -> Iterator[SourceRow]:
    """Members sharing a stem belong together: an image, its caption (.txt), its facts (.json)."""
    sample: dict[str, tarfile.TarInfo] = {}
    stem = ""
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if not member.isfile():
                continue
            member_stem, _, suffix = member.name.rpartition(".")
            if member_stem != stem:
                yield from _tar_sample(archive, path, root, sample)
                sample, stem = {}, member_stem
            sample[f".{suffix.lower()}"] = member
        yield from _tar_sample(archive, path, root, sample)


def _tar_sample(
    archive: tarfile.TarFile, path: Path, root: Path, sample: dict[str, tarfile.TarInfo]
) -> Iterator[SourceRow]:
    texts = {
        suffix: file.read().decode("utf-8")
        for suffix in (".txt", ".json")
        if suffix in sample and (file := archive.extractfile(sample[suffix]))
    }
    facts = json.loads(texts.get(".json", "{}"))
    for suffix in sorted(sample.keys() & IMAGE_SUFFIXES):
        member = sample[suffix]
        yield SourceRow(
            uri=f"{path.relative_to(root).as_posix()}!{member.name}",
            dataset=facts.get("dataset"),
            degradation=facts.get("degradation"),
            caption=texts.get(".txt", "").strip() or facts.get("caption"),
            split=facts.get("split"),
            offset=member.offset_data,
            size=member.size,
        )
