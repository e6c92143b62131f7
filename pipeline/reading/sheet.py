"""A contact sheet: what a dataset looks like, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.pipeline.format.manifest import Row
from gends.pipeline.format.recipe import Recipe
from gends.pipeline.reading.beside import read_members
from gends.pipeline.reading.label_colours import coloured
from gends.pipeline.reading.reader import ShardReader, read_manifest, read_pictures
from gends.pipeline.reading.recipe_text import recipe_text
from gends.pipeline.reading.sheet_page import Block, Entry, draw

COLUMNS = ("key", "degradation", "source_id", "shard", "mu")
"""What choosing needs of a manifest: the recipes of a large dataset are much to read."""
HEADS = {
    "gt": "clean",
    "lq": "degraded",
    "difference": "difference x2",
    "mask": "mask",
    "ground": "ground",
    "ground_lq": "ground degraded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    label: str
    rows: list[Row]


def contact_sheet(
    root: Path | str,
    *,
    degradations: Sequence[str] | None = None,
    rows: int = 3,
    side: int = 192,
    seed: int = 0,
) -> Pillow.Image:
    """Draw up to `rows` accepted pairs of each label, two to a line, from mild to severe.

    Each pair shows clean, degraded and twice their absolute difference, and what is stored beside
    them: the mask, in colours that a key at the end explains, and grounds. Beneath stand requested
    and measured severity and the recipe.

    Raises:
        DatasetNotFoundError: no committed shard under `root`.
        ValueError: no pair was accepted, or none of a label.
        DamageError: a manifest or a pair is damaged.
    """
    table = read_manifest(root, columns=COLUMNS)
    if not table.num_rows:
        raise ValueError(f"{root}: no pair was accepted, so there is nothing to draw")
    known = sorted(pc.unique(table["degradation"]).to_pylist())
    wanted = list(degradations or known)
    if missing := [name for name in wanted if name not in known]:
        raise ValueError(
            f"{root}: no accepted pair of {', '.join(missing)}; there are {', '.join(known)}"
        )
    chosen = [_Choice(label=name, rows=_choose(table, name, rows, seed)) for name in wanted]
    whole = _whole_rows(root, [row for choice in chosen for row in choice.rows])
    reader, labels = ShardReader(root), set[int]()
    blocks = []
    for choice in chosen:
        entries = [_entry(reader, whole[row["key"]], labels) for row in choice.rows]
        heads = ", ".join(dict.fromkeys(HEADS[part] for one in entries for part in one.pictures))
        blocks.append(Block(title=f"{choice.label}: {heads}", entries=entries))
    return draw(blocks, side, sorted(labels))


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


def _whole_rows(root: Path | str, chosen: Sequence[Row]) -> dict[str, Row]:
    """All columns of some rows, by key."""
    keys = pa.array([row["key"] for row in chosen], pa.string())
    shards = sorted({row["shard"] for row in chosen})
    table = read_manifest(root, shards=shards)
    found = table.filter(pc.is_in(table["key"], value_set=keys))
    return {row["key"]: row for row in found.to_pylist()}


def _entry(reader: ShardReader, row: Row, labels: set[int]) -> Entry:
    """A pair with what is beside it; labels of its mask are added to `labels`."""
    pictures = read_pictures(reader, row)
    gt, lq = pictures["gt"], pictures["lq"]
    difference = np.abs(lq.astype(np.int16) - gt) * 2
    shown: dict[str, Image] = {
        "gt": gt,
        "lq": lq,
        "difference": np.minimum(difference, 255).astype(np.uint8),
    }
    for part, member in read_members(reader, row).items():
        if part == "mask":
            labels.update(np.unique(member).tolist())
            shown[part] = coloured(member)
        elif part in HEADS:
            shown[part] = member
    severity = f"{_severity(row, 'mu')}  {_severity(row, 'sigma')}  {row['source_id'][:36]}"
    return Entry(pictures=shown, texts=(severity, recipe_text(Recipe.from_json(row["recipe"]))))


def _severity(row: Row, name: str) -> str:
    asked = row[f"{name}_target"]
    return f"{name} {row[name]:.3f}" + (f" (asked {asked:.3f})" if asked is not None else "")
