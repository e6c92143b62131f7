"""Pictures to restore: files, folder trees, lists, tar shards, or the pairs of a dataset."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gends.models.degrader import Image
from gends.pipeline.config import BuildConfig
from gends.pipeline.encoded import read_bytes
from gends.pipeline.evaluation.pairs import PLACES
from gends.pipeline.identity import IDENTITY_NAME
from gends.pipeline.load import UnusableError, decode
from gends.pipeline.pack import encode
from gends.pipeline.reader import ShardReader, read_manifest, read_pictures
from gends.pipeline.sources import base_folder, read_source
from gends.pipeline.store import AlreadyExistsError, Store
from gends.pipeline.types import IMAGE_SUFFIXES, CleanImage, SourceRow

FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpg", ".jpeg": "jpg"}
"""Ending of a restored picture → how it is encoded. PNG and WebP are lossless."""


class BadPictureError(ValueError):
    """A picture that cannot be restored; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """One picture to restore."""

    name: str
    """As it is called in messages."""
    target: str
    """Where the restored picture goes under the output folder."""
    read: Callable[[], Image]
    """Raises BadPictureError."""


def is_dataset(source: Path) -> bool:
    """Whether a source of pictures to restore is a dataset's root."""
    return (source / IDENTITY_NAME).exists()


def restorables(source: Path, *, max_pixels: int, suffix: str = ".png") -> list[Restorable]:
    """The pictures of a source, in order of target: the source's own paths, ending in `suffix`.

    Of a dataset that `gends-build run` made, the degraded pictures, each called by its key; of
    anything else all pictures, upright, in sRGB, without transparency.

    Raises:
        ValueError: the source cannot be read, has no pictures, or two that would get one name.
    """
    if is_dataset(source):
        found = list(_of_dataset(source, suffix))
    else:
        config = BuildConfig(min_side=1, max_pixels=max_pixels)
        rows = [_single(source)] if _is_picture(source) else read_source(source)
        found = [_of_row(row, base_folder(source), config, suffix) for row in rows]
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


def write_restored(store: Store, target: str, image: Image, *, overwrite: bool) -> bool:
    """Write a restored picture whole or not at all; False where there is one already.

    Args:
        store: the output folder.
        target: path in it, ending in one of `FORMATS`.
        image: uint8 (H, W, 3) RGB.
        overwrite: write over what is there.
    """
    kind: Any = FORMATS[os.path.splitext(target)[1].lower()]
    data = encode(image, BuildConfig(image_format=kind))
    try:
        with store.publish(target, create_only=not overwrite) as file:
            file.write(data)
    except AlreadyExistsError:
        return False
    return True


def _of_dataset(root: Path, suffix: str) -> Iterator[Restorable]:
    reader, rows = ShardReader(root), read_manifest(root, columns=["key", *PLACES])
    for index in range(len(rows)):
        row: dict[str, Any] = rows.slice(index, 1).to_pylist()[0]
        yield Restorable(
            name=row["key"], target=f"{row['key']}{suffix}", read=_pair_reader(reader, row)
        )


def _pair_reader(reader: ShardReader, row: dict[str, Any]) -> Callable[[], Image]:
    return lambda: read_pictures(reader, row)["lq"]


def _is_picture(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in IMAGE_SUFFIXES


def _single(source: Path) -> SourceRow:
    return SourceRow(uri=source.name)


def _of_row(row: SourceRow, base: Path, config: BuildConfig, suffix: str) -> Restorable:
    def read() -> Image:
        if row.problem is not None:
            raise BadPictureError(row.problem)
        place = CleanImage(source_id="", uri=row.uri, dataset="", offset=row.offset, size=row.size)
        try:
            return np.array(decode(read_bytes(base, place), config))
        except OSError as error:
            raise BadPictureError(error.strerror or str(error)) from error
        except UnusableError as error:
            raise BadPictureError(str(error)) from error

    return Restorable(name=row.uri, target=_target(row, base, suffix), read=read)


def _target(row: SourceRow, base: Path, suffix: str) -> str:
    """`a/b.jpg` → `a/b.png`, and `shard.tar!c/d.jpg` → `shard/c/d.png`."""
    uri = row.uri if row.offset is None else row.uri.replace(".tar!", "/", 1)
    path = os.path.relpath(uri, base.absolute()) if os.path.isabs(uri) else os.path.normpath(uri)
    # What leads outside has a problem, and is not going to be written.
    inside = [part for part in PurePosixPath(path).parts if part not in ("..", "/")]
    return f"{os.path.splitext('/'.join(inside))[0]}{suffix}"
