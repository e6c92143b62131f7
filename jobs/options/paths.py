"""Where a command is to write, checked before it works for minutes; callbacks of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import click

from gends.pipeline.types import IMAGE_SUFFIXES

Place = TypeVar("Place", bound=Path | str)
PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Endings of pictures that commands draw → Pillow's name of the format."""
FILES = {
    ".csv",
    ".gz",
    ".heic",
    ".json",
    ".jsonl",
    ".parquet",
    ".pdf",
    ".svg",
    ".tar",
    ".tgz",
    ".zip",
}
"""Endings that promise a file, beside those of pictures."""


def file_in_a_folder(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A file whose folder is there and can be written to."""
    _check_writable(file.absolute().parent)
    return file


def picture(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A place for a picture of the kind that its name ends with; over one of that kind at most."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  takes its time

    kind = PICTURES.get(file.suffix.lower())
    if kind is None:
        endings = ", ".join(PICTURES)
        raise click.BadParameter(f"{file} must end in one of {endings}, which decides its format")
    if file.is_file():
        try:
            Image.open(file, formats=[kind]).close()
        except UnidentifiedImageError:
            raise click.BadParameter(
                f"{file} is there and is no {kind}; name another file"
            ) from None
    return file_in_a_folder(ctx, parameter, file)


def json_file(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A place for JSON, whose name is to say so."""
    check_json_name(file)
    return file_in_a_folder(ctx, parameter, file)


def check_json_name(file: Path) -> None:
    """Raise click.BadParameter unless the name of what will be JSON ends so."""
    if file.suffix.lower() != ".json":
        raise click.BadParameter(f"{file} will hold JSON; call it {file.stem}.json")


def new_or_old_folder(ctx: click.Context, parameter: click.Parameter, folder: Place) -> Place:
    """A folder that is there or can be made; a URL passes."""
    if "://" not in str(folder):
        check_folder_name(Path(folder))
        place: Path = Path(folder).absolute()
        nearest = next(path for path in [place, *place.parents] if os.path.lexists(path))
        if nearest != place:
            _check_writable(nearest)
        elif not place.is_dir():
            raise click.BadParameter(f"{folder} is no folder")
    return folder


def new_place(ctx: click.Context, parameter: click.Parameter, place: str) -> Path:
    """A path on a disk at which something can be made."""
    if "://" in place:
        raise click.BadParameter(f"{place}: only a disk will do; copy it to a bucket afterwards")
    path = Path(place).absolute()
    _check_writable(next(folder for folder in path.parents if os.path.lexists(folder)))
    return Path(place)


def check_folder_name(folder: Path) -> None:
    """Raise click.BadParameter for a new folder whose name promises a file."""
    if folder.suffix.lower() in {*IMAGE_SUFFIXES, *FILES} and not folder.exists():
        raise click.BadParameter(
            f"{folder} would be a folder, and its name ends as a file's does; name it without "
            f"{folder.suffix}"
        )


def _check_writable(folder: Path) -> None:
    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is no folder; make it first, or name another place")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"nothing can be written into {folder}; name another place")
