"""`gends-build replay`: make a stored pair again, on its own picture or on another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from PIL import Image as Pillow

from gends.histograms.severity import measure
from gends.jobs.building.engines import make_engines
from gends.jobs.console.alive import alive
from gends.jobs.options.paths import PICTURES, picture
from gends.models.degrader import Image
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.keeping.dataset import Dataset, open_dataset
from gends.pipeline.keeping.replay import clean_picture, find_row, remake
from gends.pipeline.making.load import UnusableError, decode
from gends.pipeline.making.replay import carry_out_again, with_changes
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.reading.reader import ShardReader, read_pictures


@click.command(
    epilog="\b\nExamples:\n"
    "  gends-build replay dataset/ tower_1a2b3c4d5e6f7081-haze-0 --out again.png\n"
    "  gends-build replay dataset/ KEY --on other.jpg --out other-hazy.png\n"
    "  gends-build replay dataset/ KEY --set haze.strength=0.5 --out denser.png"
)
@click.argument("root")
@click.argument("key")
@click.option(
    "--on",
    "other",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PICTURE",
    help="Carry the recipe out on this picture, of any size. [default: the pair's own photograph]",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="STEP.NAME=VALUE",
    help="Change one value of the recipe, as rain.strength=0.4; a number before the dot chooses "
    "one of several steps (2.strength=0.4). May be given several times.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=picture,
    help="Picture to write; its name ends in .png, .jpg, .jpeg or .webp. Only .png and .webp keep "
    "every pixel.",
)
def command(root: str, key: str, other: Path | None, changes: tuple[str, ...], out: Path) -> None:
    """Make the degraded picture of the pair KEY of the dataset ROOT again.

    The recipe of every pair is stored. With no further option it is carried out on the pair's own
    photograph, and the result is compared with what is stored: the same pixels, or exit code 1.
    With --on it degrades another picture in the same way, and with --set in a changed way.

    Steps that a diffusion model painted need the model that the dataset was made with.
    """
    dataset = open_dataset(root)
    row = find_row(dataset, key)
    values = dict(map(_change, changes))
    recipe = Recipe.from_json(row["recipe"]) if row["recipe"] else None
    if recipe is not None:
        recipe = with_changes(recipe, values)
    with alive("making it again"):
        engines = make_engines(dataset.config)
        if recipe is None or (other is None and not values):
            made = remake(dataset, row, engines)
        else:
            start = _opened(other) if other else clean_picture(dataset, row)
            made = carry_out_again(recipe, start, engines, row["caption"])
    options: dict[str, Any] = {"lossless": True} if out.suffix.lower() == ".webp" else {}
    Pillow.fromarray(made).save(out, PICTURES[out.suffix.lower()], **options)
    click.echo(f"{out}: {made.shape[1]}x{made.shape[0]}, {row['steps']}")
    if other is None and not values:
        _compare(dataset, row, made)


def _compare(dataset: Dataset, row: dict[str, Any], made: Image) -> None:
    if row["status"] != "accepted":
        click.echo(f"the pair was {row['status']} ({row['reason']}), so no picture is stored")
        return
    stored = read_pictures(ShardReader(dataset.store.url), row)["lq"]
    if np.array_equal(made, stored):
        click.echo("the same pixels as stored")
        return
    if dataset.config.image_format == "jpg":
        click.echo(f"stored as jpg: mean difference {measure(made, stored).mu * 255:.2f} levels")
        return
    raise ValueError(
        f"{row['key']}: not the stored pixels, mean difference "
        f"{measure(made, stored).mu * 255:.3f} levels; another processor or other versions of "
        "libraries round in another way, and gends-build verify finds damage"
    )


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not STEP.NAME=VALUE, as in rain.strength=0.4")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise click.BadParameter(f"{name}: {value!r} is no value") from None


def _opened(path: Path) -> Image:
    try:
        return np.array(decode(path.read_bytes(), BuildConfig(min_side=1)))
    except UnusableError as error:
        raise ValueError(f"{path}: {error}") from error
