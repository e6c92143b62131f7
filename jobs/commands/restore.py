"""`gends-build restore`: pictures through a trained restorer."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from gends.jobs.console.alive import alive
from gends.jobs.options.paths import new_or_old_folder
from gends.jobs.options.restoring import restorer_options
from gends.pipeline.planning.config import MOST_PIXELS, BuildConfig
from gends.pipeline.types import IMAGE_SUFFIXES

FORMATS = ("png", "webp", "jpg")


@click.command(epilog="\b\nExample:\n  gends-build restore runs/nafnet/result hazy/ clear/")
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    default="png",
    show_default=True,
    type=click.Choice(FORMATS),
    help="Of restored pictures in a folder; png and webp are lossless.",
)
@click.option("--overwrite", is_flag=True, help="Make pictures again that are there already.")
@click.option(
    "--outside",
    is_flag=True,
    help="Also restore pictures whose path or link leads outside the folder of IN.",
)
@click.option(
    "--max-pixels",
    metavar="N",
    default=BuildConfig.model_fields["max_pixels"].default,
    show_default=True,
    type=click.IntRange(1, MOST_PIXELS),
    help="Largest picture decoded, in pixels; decoding may take 16 bytes of memory for each, and "
    "formats that need more are held to fewer.",
)
@restorer_options
@click.pass_context
def command(ctx: click.Context, /, source: Path, out: Path, kind: str, **flags: Any) -> None:
    """Restore IN with MODEL into OUT.

    IN is a picture, a folder tree, a list or tar shard of pictures, or a dataset, whose degraded
    pictures get the names of their keys. OUT is a folder, which gets the same tree; or a file, for
    a single picture. Large pictures are cut into tiles whose seams are blended.

    Pictures that are in OUT already are left as they are: a command that was stopped can be given
    again. Pictures that cannot be restored are named and counted.
    """
    single = source.is_file() and source.suffix.lower() in IMAGE_SUFFIXES
    folder, target = _place(out, single=single)
    new_or_old_folder(ctx, ctx.command.params[2], folder)
    _check_outside(source, folder)
    with alive("loading torch"):
        from gends.jobs.restoring.restore import restore_all  # noqa: PLC0415

    counts = restore_all(source, folder, target=target, suffix=f".{kind}", **flags)
    click.echo(summary(counts, folder if target is None else out))
    if counts["failed"] and not counts["restored"] + counts["there"]:
        sys.exit(2)


def summary(counts: Counter[str], out: Path) -> str:
    """One line for people."""
    parts = [f"{counts['restored']} restored"]
    if counts["there"]:
        parts.append(f"{counts['there']} there already (--overwrite makes them again)")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed, named above")
    return f"{', '.join(parts)}: {out}"


def _place(out: Path, *, single: bool) -> tuple[Path, str | None]:
    """Folder to write into, and the name there where it is one picture's."""
    endings = (*(f".{kind}" for kind in FORMATS), ".jpeg")
    if out.is_dir() or out.suffix.lower() not in IMAGE_SUFFIXES:
        return out, None
    if not single:
        raise click.BadParameter(f"{out} names one picture, and IN is not one", param_hint="OUT")
    if out.suffix.lower() not in endings:
        raise click.BadParameter(f"{out} must end in {', '.join(endings)}", param_hint="OUT")
    return out.parent, out.name


def _check_outside(source: Path, folder: Path) -> None:
    """Results among what is to be restored would be restored by the next command."""
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise click.BadParameter(f"{folder} lies in {source}; name a place outside of it")
