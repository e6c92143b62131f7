"""A contact sheet: what a dataset looks like, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends.pipeline.format.manifest import CHECKSUMS, RANGES, Row
from gends.pipeline.reading.reader import ShardReader, read_manifest
from gends.pipeline.reading.sheet_row import (
    HEADS,
    colour_of,
    fitted,
    labels_in,
    pictures_of,
    recipe_text,
)

GAP = 6
CAPTION = 16
INK = (30, 30, 30)
COLUMNS = (
    *("key", "degradation", "source_id", "shard", "mu", "sigma", "mu_target", "sigma_target"),
    *("steps", "recipe", "width", "height"),
    *CHECKSUMS,
    *RANGES,
)
"""What a sheet needs of a manifest."""


def contact_sheet(
    root: Path | str,
    *,
    degradations: Sequence[str] | None = None,
    rows: int = 3,
    side: int = 192,
    seed: int = 0,
) -> Pillow.Image:
    """Draw up to `rows` accepted pairs of each degradation, two to a line, from mild to severe.

    Each pair shows clean, degraded and twice their absolute difference, then mask and ground where
    it has them; beneath, its recipe, requested and measured severity, and the key of its mask.

    Raises:
        DatasetNotFoundError: no committed shard under `root`.
        ValueError: no pair was accepted, or none of a degradation.
        DamageError: a manifest or a pair is damaged.
    """
    table = read_manifest(root, columns=COLUMNS)
    if not table.num_rows:
        raise ValueError(f"{root}: no pair was accepted, so there is nothing to draw")
    known = sorted(pc.unique(table["degradation"]).to_pylist())
    wanted = list(degradations or known)
    if missing := [name for name in wanted if name not in known]:
        raise ValueError(f"{root}: no accepted pair of {', '.join(missing)}; there are {known}")
    chosen = [_choose(table, name, rows, seed) for name in wanted]
    heads = ["clean", "degraded", "difference x2", *_beside(table)]
    width = len(heads) * (side + GAP) + GAP
    columns = 2 if len(chosen) > 1 else 1
    tallest = max(len(group) for group in chosen)
    line_height = side + 2 * CAPTION + GAP
    block = GAP + CAPTION + tallest * line_height
    height = GAP + block * -(-len(chosen) // columns)
    sheet = Pillow.new("RGB", (columns * width, height), "white")
    reader = ShardReader(root)
    for number, (name, group) in enumerate(zip(wanted, chosen, strict=True)):
        left, top = (number % columns) * width + GAP, (number // columns) * block + GAP
        _write(sheet, (left, top), f"{name}: {', '.join(heads)}", CAPTION - 2)
        for line, row in enumerate(group):
            corner = (left, top + CAPTION + line * line_height)
            _draw_pair(sheet, reader, row, corner, side)
    return sheet


def _choose(table: pa.Table, name: str, rows: int, seed: int) -> list[Row]:
    """Pairs spread over the severities that occur, each of another photograph where possible."""
    found = table.filter(pc.equal(table["degradation"], name)).sort_by("mu")
    bands = [band for band in np.array_split(np.arange(len(found)), rows) if len(band)]
    rng = np.random.default_rng(seed)
    chosen: list[Row] = []
    for band in bands:
        used = pa.array([row["source_id"] for row in chosen], pa.string())
        sources = found["source_id"].slice(band[0], len(band))
        fresh = band[~pc.is_in(sources, value_set=used).to_numpy()]
        place = int(rng.choice(fresh if len(fresh) else band))
        chosen += found.slice(place, 1).to_pylist()
    return chosen


def _beside(table: pa.Table) -> list[str]:
    """What stands above the members that any pair has."""
    return [head for part, head in HEADS.items() if table[f"{part}_size"].null_count < len(table)]


def _draw_pair(
    sheet: Pillow.Image, reader: ShardReader, row: Row, corner: tuple[int, int], side: int
) -> None:
    left, top = corner
    for column, picture in enumerate(pictures_of(reader, row)):
        sheet.paste(fitted(picture, side), (left + column * (side + GAP), top))
    most = 3 * side // 6  # letters of about six pixels
    _write(sheet, (left, top + side), recipe_text(row)[:most], CAPTION - 4)
    text = f"{_severity(row, 'mu')}  {_severity(row, 'sigma')}  {row['source_id'][:36]}"
    _write(sheet, (left, top + side + CAPTION), text, CAPTION - 4)
    if row["mask_size"] is not None:
        _draw_key(sheet, row, (left + 3 * (side + GAP), top + side))


def _draw_key(sheet: Pillow.Image, row: Row, corner: tuple[int, int]) -> None:
    """The colours of a mask."""
    left, top = corner
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(CAPTION - 5)
    for name, label in labels_in(row):
        draw.rectangle((left, top + 4, left + 8, top + 12), fill=colour_of(label))
        draw.text((left + 11, top), name, INK, font)
        left += 16 + round(draw.textlength(name, font))


def _severity(row: Row, name: str) -> str:
    asked = row[f"{name}_target"]
    return f"{name} {row[name]:.3f}" + (f" (asked {asked:.3f})" if asked is not None else "")


def _write(sheet: Pillow.Image, corner: tuple[int, int], text: str, size: int) -> None:
    ImageDraw.Draw(sheet).text(corner, text, INK, ImageFont.load_default(size))
