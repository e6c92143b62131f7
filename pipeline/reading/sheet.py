"""A contact sheet: what a dataset looks like, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from gends.models.degrader import Image
from gends.pipeline.format.manifest import RANGES, Row
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures

GAP = 6
CAPTION = 16
INK = (30, 30, 30)
COLUMNS = (
    *("key", "degradation", "source_id", "shard", "mu", "sigma", "mu_target", "sigma_target"),
    *("gt_blake3", "lq_blake3"),
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

    Each pair shows clean, degraded and twice their absolute difference, with requested and
    measured severity beneath.

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
    width = 3 * side + 4 * GAP
    columns = 2 if len(chosen) > 1 else 1
    tallest = max(len(group) for group in chosen)
    block = GAP + CAPTION + tallest * (side + CAPTION + GAP)
    height = GAP + block * -(-len(chosen) // columns)
    sheet = Pillow.new("RGB", (columns * width, height), "white")
    reader = ShardReader(root)
    for number, (name, group) in enumerate(zip(wanted, chosen, strict=True)):
        left, top = (number % columns) * width + GAP, (number // columns) * block + GAP
        _write(sheet, (left, top), f"{name}: clean, degraded, difference x2", CAPTION - 2)
        for line, row in enumerate(group):
            _draw_pair(
                sheet, reader, row, (left, top + CAPTION + line * (side + CAPTION + GAP)), side
            )
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


def _draw_pair(
    sheet: Pillow.Image,
    reader: ShardReader,
    row: Row,
    corner: tuple[int, int],
    side: int,
) -> None:
    gt, lq = read_pictures(reader, row).values()
    difference = np.minimum(np.abs(lq.astype(np.int16) - gt) * 2, 255).astype(np.uint8)
    pictures: list[Image] = [gt, lq, difference]
    for column, picture in enumerate(pictures):
        place = (corner[0] + column * (side + GAP), corner[1])
        sheet.paste(
            Pillow.fromarray(picture).resize((side, side), Pillow.Resampling.LANCZOS), place
        )
    text = f"{_severity(row, 'mu')}  {_severity(row, 'sigma')}  {row['source_id'][:36]}"
    _write(sheet, (corner[0], corner[1] + side), text, CAPTION - 4)


def _severity(row: Row, name: str) -> str:
    asked = row[f"{name}_target"]
    return f"{name} {row[name]:.3f}" + (f" (asked {asked:.3f})" if asked is not None else "")


def _write(sheet: Pillow.Image, corner: tuple[int, int], text: str, size: int) -> None:
    ImageDraw.Draw(sheet).text(corner, text, INK, ImageFont.load_default(size))
