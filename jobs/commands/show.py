"""`gends-build show`: a contact sheet of a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from gends.jobs.options import listed
from gends.jobs.options.config import flag
from gends.jobs.options.paths import PICTURES, picture
from gends.pipeline.format.identity import read_identity
from gends.pipeline.reading.sheet import contact_sheet
from gends.pipeline.storage.opening import open_store

LARGEST_SIDE = {"JPEG": 65_535, "WEBP": 16_383}
"""Pixels that a format holds."""


@click.command(
    epilog="\b\nExample:\n  gends-build show dataset/ --out sheet.png --degradations rain,snow"
)
@click.argument("root")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=picture,
    help="Picture to write; its name ends in .png, .jpg, .jpeg or .webp.",
)
@click.option(
    "--degradations",
    default="",
    type=listed.degradations,
    metavar="LABEL,LABEL…",
    help="Only pairs of these labels: degradations, or names of mixtures. [default: all]",
)
@flag("--rows", "Pairs per label.", default=3, type=click.IntRange(1, 100))
@flag("--side", "Pixels per picture.", default=192, type=click.IntRange(32, 1024))
@flag("--seed", "Which pairs are drawn.", metavar="S", default=0, type=click.IntRange(min=0))
def command(
    root: str, out: Path, degradations: tuple[str, ...], rows: int, side: int, seed: int
) -> None:
    """Draw pairs of the dataset ROOT: clean, degraded, their difference, severity and recipe.

    Masks, with a key to their colours, and grounds are drawn where they are stored. Pairs of each
    label go from mild to severe. Works while a build is running.
    """
    read_identity(open_store(root))  # a wrong path is to be told from a build without shards
    sheet = contact_sheet(root, degradations=degradations or None, rows=rows, side=side, seed=seed)
    kind = PICTURES[out.suffix.lower()]
    most = LARGEST_SIDE.get(kind, max(sheet.size))
    if max(sheet.size) > most:
        raise ValueError(
            f"the sheet has {sheet.width}x{sheet.height} pixels, and {kind} holds {most} a side; "
            "lower --rows or --side, or name a .png"
        )
    sheet.save(out, kind, quality=95)
    click.echo(f"{out}: {sheet.width}x{sheet.height}")
