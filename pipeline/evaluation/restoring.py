"""Pictures to restore: files, folder trees, lists, tar shards, or the pairs of a dataset."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gends.models.degrader import Image
from gends.pipeline.evaluation.pairs import PLACES
from gends.pipeline.format.identity import IDENTITY_NAME
from gends.pipeline.making.load import UnusableError, decode
from gends.pipeline.making.pack import encode
from gends.pipeline.photographs.encoded import file_of, read_bytes
from gends.pipeline.photographs.neighbours import Neighbours
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures
from gends.pipeline.sources.source import base_folder, read_source
from gends.pipeline.storage.folder import LocalStore
from gends.pipeline.storage.store import AlreadyExistsError, StorageError, Store, usable
from gends.pipeline.types import IMAGE_SUFFIXES, CleanImage, SourceRow

FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpg", ".jpeg": "jpg"}
"""Ending of a restored picture → how it is encoded. PNG and WebP are lossless."""
_OF_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)


class BadPictureError(ValueError):
    """A picture that cannot be restored; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """One picture to restore."""

    name: str
    """As it is called in messages."""
    target: str
    """Where the restored picture goes under the output folder."""
    file: Path | None
    """That holds the picture and nothing else; None in a tar or dataset."""
    read: Callable[[], Image]
    """Raises BadPictureError, and StorageError where this machine is at fault."""


def is_dataset(source: Path) -> bool:
    """Whether a source of pictures to restore is a dataset's root."""
    return (source / IDENTITY_NAME).exists()


def restorables(
    source: Path, *, max_pixels: int, suffix: str = ".png", outside: bool = False
) -> list[Restorable]:
    """The pictures of a source, in order of target: the source's own paths, ending in `suffix`.

    Of a dataset that `gends-build run` made, the degraded pictures, each called by its key; of
    anything else all pictures, upright, in sRGB, without transparency. Those that a list or link
    names outside of the source's folder only with `outside`.

    Raises:
        ValueError: the source cannot be read, has no pictures, or two that would get one name.
    """
    if is_dataset(source):
        found = list(_of_dataset(source, suffix))
    else:
        config = BuildConfig(min_side=1, max_pixels=max_pixels)
        base = base_folder(source)
        rows = (
            [_single(source)]
            if _is_picture(source)
            # All pictures of a tar, and degraded ones, are there to be restored.
            else list(read_source(source, outside=outside, member=("*",), own_output=True))
        )
        near = Neighbours(functools.partial(_below, rows), base)
        found = [_of_row(row, base, config, suffix, near) for row in rows]
    if not found:
        raise ValueError(f"{source}: no pictures ({', '.join(sorted(IMAGE_SUFFIXES))})")
    found.sort(key=lambda one: (one.target, one.name))
    for one, other in itertools.pairwise(found):
        if one.target == other.target:
            raise ValueError(
                f"{source}: {one.name} and {other.name} would both become {one.target}; "
                "rename one, or restore them into two folders"
            )
    return found


def check_apart(pictures: Sequence[Restorable], folder: Path) -> None:
    """Raise ValueError where a result would lie in the place of a picture that is to be restored.

    Links are followed: what one leads to is what would be lost.
    """
    sources = {os.path.realpath(picture.file) for picture in pictures if picture.file is not None}
    for picture in pictures:
        place = folder / picture.target
        if os.path.realpath(place) in sources:
            raise ValueError(f"{place} is one of the pictures to restore; name another OUT")


def encode_restored(image: Image, target: str) -> bytes:
    """Encode a restored picture as the name of its file says.

    Args:
        image: uint8 (H, W, 3) RGB.
        target: ends in one of `FORMATS`.

    Raises:
        BadPictureError: the format cannot hold it.
    """
    kind: Any = FORMATS[os.path.splitext(target)[1].lower()]
    try:
        return encode(image, BuildConfig(image_format=kind))
    except (ValueError, OSError) as error:  # no disk is written to here
        height, width = image.shape[:2]
        raise BadPictureError(f"{width}x{height} pixels make no {kind} ({error})") from error


def write_restored(store: Store, target: str, data: bytes, *, overwrite: bool) -> bool:
    """Write an encoded picture whole or not at all; False where there is one already.

    Args:
        store: the output folder.
        target: path in it.
        data: content of the file.
        overwrite: write over what is there.

    Raises:
        BadPictureError: there can be no file of that name.
    """
    try:
        with _named(target), store.publish(target, create_only=not overwrite) as file:
            file.write(data)
    except AlreadyExistsError as error:
        if not is_there(store, target):
            raise BadPictureError(f"{target}: a file has the name of its folder") from error
        return False
    return True


def is_there(store: Store, target: str) -> bool:
    """Whether the output folder has that picture.

    Raises:
        BadPictureError: it cannot have one of that name.
    """
    with _named(target):
        if isinstance(store, LocalStore) and store.path(target).is_dir():
            raise BadPictureError(f"{target}: a folder has its name; rename one, or the picture")
        return store.exists(target)


@contextlib.contextmanager
def _named(target: str) -> Iterator[None]:
    """What a filesystem has against a name concerns that picture alone."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_NAMES:
            raise
        shown = f"{target[:60]}…" if len(target) > 60 else target
        raise BadPictureError(f"{error.strerror}: {shown}; rename the picture") from error


def _of_dataset(root: Path, suffix: str) -> Iterator[Restorable]:
    reader, rows = ShardReader(root), read_manifest(root, columns=["key", *PLACES])
    for index in range(len(rows)):
        row: dict[str, Any] = rows.slice(index, 1).to_pylist()[0]
        yield Restorable(
            name=row["key"],
            target=f"{row['key']}{suffix}",
            file=None,
            read=_pair_reader(reader, row),
        )


def _pair_reader(reader: ShardReader, row: dict[str, Any]) -> Callable[[], Image]:
    return lambda: read_pictures(reader, row)["lq"]


def _is_picture(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in IMAGE_SUFFIXES


def _single(source: Path) -> SourceRow:
    return SourceRow(uri=source.name)


def _below(rows: Sequence[SourceRow], folder: str) -> Iterator[tuple[str, int | None]]:
    inside = f"{folder}/" if folder else ""
    return ((r.uri, r.offset) for r in rows if r.problem is None and r.uri.startswith(inside))


def _of_row(
    row: SourceRow, base: Path, config: BuildConfig, suffix: str, near: Neighbours
) -> Restorable:
    def read() -> Image:
        if row.problem is not None:
            raise BadPictureError(row.problem)
        place = CleanImage(source_id="", uri=row.uri, dataset="", offset=row.offset, size=row.size)
        try:
            with usable(base / row.uri):
                return np.array(decode(read_bytes(base, place), config))
        except StorageError:
            raise  # which says nothing about the picture
        except OSError as error:
            near.check(file_of(row.uri, row.offset), error)
            raise BadPictureError(error.strerror or str(error)) from error
        except UnusableError as error:
            raise BadPictureError(str(error)) from error

    file = base / row.uri if row.offset is None and row.problem is None else None
    return Restorable(name=row.uri, target=_target(row, base, suffix), file=file, read=read)


def _target(row: SourceRow, base: Path, suffix: str) -> str:
    """`a/b.jpg` → `a/b.png`, and `shard.tar!c/d.jpg` → `shard/c/d.png`."""
    uri = row.uri if row.offset is None else row.uri.replace(".tar!", "/", 1)
    path = os.path.relpath(uri, base.absolute()) if os.path.isabs(uri) else os.path.normpath(uri)
    # Of a picture that lies outside, the path must not lead out of the output folder too.
    inside = [part for part in PurePosixPath(path).parts if part not in ("..", "/")]
    return f"{os.path.splitext('/'.join(inside))[0]}{suffix}"
