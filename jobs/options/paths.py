"""Where a command is to write, checked before it works for minutes; callbacks of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import click

Place = TypeVar("Place", bound=Path | str)


def file_in_a_folder(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A file whose folder is there and can be written to."""
    _check_writable(file.absolute().parent)
    return file


def picture(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A place for a PNG, whatever its name ends with; over another PNG, and over nothing else."""
    from gends.pipeline.format.png import SIGNATURE  # noqa: PLC0415  imports numpy

    if file.is_file():
        with open(file, "rb") as old:
            if old.read(len(SIGNATURE)) != SIGNATURE:
                raise click.BadParameter(f"{file} is there and is no PNG; name another file")
    return file_in_a_folder(ctx, parameter, file)


def profile_file(ctx: click.Context, parameter: click.Parameter, file: Path) -> Path:
    """A place for a severity profile, which is JSON and is to be called so."""
    if file.suffix.lower() != ".json":
        raise click.BadParameter(f"{file}: a profile is stored as JSON; call it {file.stem}.json")
    return file_in_a_folder(ctx, parameter, file)


def new_or_old_folder(ctx: click.Context, parameter: click.Parameter, folder: Place) -> Place:
    """A folder that is there or can be made; a URL passes."""
    if "://" not in str(folder):
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


def _check_writable(folder: Path) -> None:
    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is no folder; make it first, or name another place")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"nothing can be written into {folder}; name another place")
