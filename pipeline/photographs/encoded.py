"""The bytes of a photograph as it lies in its source: a file, or a part of a tar."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from blake3 import blake3

from gends.pipeline.storage.store import StorageError, usable
from gends.pipeline.types import CleanImage, SourceRow

MOST_BYTES = 1 << 31
"""Of an encoded photograph: more than the largest that is decoded takes without compression."""
END = 1 << 16
"""Bytes at each end of a photograph that tell it from another of the same size."""


def num_bytes(base: Path, row: SourceRow) -> int | None:
    """Size of a photograph; None for what is no file, or cannot be asked for.

    Raises:
        StorageError: this machine or its disk cannot say.
    """
    if row.size is not None:
        return row.size
    try:
        with usable(base / row.uri):
            facts = (base / row.uri).stat()
    except StorageError:
        raise
    except (OSError, ValueError):
        return None  # loading it will fail, with a row that says why
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def ends_digest(base: Path, row: SourceRow, size: int | None) -> str | None:
    """Of the first and the last `END` bytes, or of all where there are no more than both.

    The first 16 hexadecimal digits of their BLAKE3: it tells of a change, and a catalog of millions
    stays small. None for what has no `size`, or cannot be read: loading it will fail, with a row
    that says why.

    Raises:
        StorageError: this machine or its disk cannot read it.
    """
    if size is None:
        return None
    start, digest, path = row.offset or 0, blake3(), base / file_of(row.uri, row.offset)
    try:
        with usable(path), open(path, "rb", buffering=0) as file:
            for first, last in ((0, min(END, size)), (max(END, size - END), size)):
                if first < last:
                    digest.update(os.pread(file.fileno(), last - first, start + first))
    except StorageError:
        raise
    except (OSError, ValueError):
        return None
    return digest.hexdigest(length=8)


def written_ns(base: Path, uri: str, offset: int | None) -> int | None:
    """When a photograph's file was last written to, in nanoseconds; None where that is not known.

    Raises:
        StorageError: this machine or its disk cannot say.
    """
    path = base / file_of(uri, offset)
    try:
        with usable(path):
            return path.stat().st_mtime_ns
    except StorageError:
        raise
    except (OSError, ValueError):
        return None


def read_bytes(base: Path, image: CleanImage) -> bytes:
    """The encoded photograph.

    Raises:
        StorageError: this machine or its disk cannot read it, which says nothing of the photograph.
        OSError: it cannot be read.
    """
    path = base / file_of(image.uri, image.offset)
    with usable(path):
        if image.offset is None:
            facts = path.stat()
            if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
                raise OSError(f"{image.uri}: not a regular file")  # reading it could last for ever
            _check_size(facts.st_size)
            return path.read_bytes()
        size = -1 if image.size is None else image.size
        _check_size(size)
        with open(path, "rb") as archive:
            archive.seek(image.offset)
            return archive.read(size)


def file_of(uri: str, offset: int | None) -> str:
    """Path of the file itself, or of the tar that holds it."""
    if offset is None:
        return uri
    return re.split(r"(?<=\.tar)!", uri, maxsplit=1, flags=re.IGNORECASE)[0]


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise OSError(f"{size} bytes are over the most of {MOST_BYTES}")
