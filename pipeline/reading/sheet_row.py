"""One pair on a contact sheet: its pictures, its recipe, and what is stored beside it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from gends.models.degrader import Image
from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.manifest import Row
from gends.pipeline.reading.beside import read_members
from gends.pipeline.reading.reader import ShardReader, read_pictures

BORDER = 255
COLOURS = (
    *((230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48)),
    *((145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212)),
    *((0, 128, 128), (220, 190, 255), (170, 110, 40), (255, 250, 200), (128, 0, 0)),
)
"""Of labels, in turn: colours that are told apart at a glance."""
HEADS = {"mask": "mask", "ground": "ground", "ground_lq": "its copy"}
"""Members that a sheet shows, by what stands above them."""


def pictures_of(reader: ShardReader, row: Row) -> list[Image]:
    """Clean, degraded, twice the difference; then mask and grounds, where the pair has them.

    Raises:
        PairError: the shard is not as its manifest says.
    """
    gt, lq = read_pictures(reader, row).values()
    difference = np.minimum(np.abs(lq.astype(np.int16) - gt) * 2, 255).astype(np.uint8)
    members = read_members(reader, row)
    beside = [
        coloured(picture) if part == "mask" else picture
        for part, picture in members.items()
        if part in HEADS
    ]
    return [gt, lq, difference, *beside]


def colour_of(label: int) -> tuple[int, int, int]:
    """Of a label of masks: black where nothing is, white on borders."""
    if label in (0, BORDER):
        return (label, label, label)
    return COLOURS[label % len(COLOURS)]


def coloured(mask: npt.NDArray[np.uint8]) -> Image:
    """A mask as a picture, uint8 (H, W, 3)."""
    palette = np.array([colour_of(label) for label in range(256)], np.uint8)
    return palette[mask]


def labels_in(row: Row) -> list[tuple[str, int]]:
    """Operations of a pair and their labels, for the key of a mask."""
    names = dict.fromkeys(row["steps"].replace("|", "+").split("+")) if row["steps"] else {}
    return [(name, OPERATIONS[name].label) for name in names if name in OPERATIONS]


def recipe_text(row: Row) -> str:
    """The recipe in a few words: `haze beta 1.4 > jpeg quality 34 | rain 0.41`."""
    regions: dict[int, list[str]] = {}
    steps = json.loads(row["recipe"])["steps"] if row["recipe"] else []
    for step in steps:
        regions.setdefault(step.get("region", 0), []).append(_step_text(step))
    return " | ".join(" > ".join(words) for words in regions.values())


def _step_text(step: dict[str, Any]) -> str:
    if step["engine"] != "parametric":
        return f"{step['op']} by {step['engine']}"
    operation, strength = OPERATIONS.get(step["op"]), step["parameters"]["strength"]
    if operation is None or operation.scale is None:
        return f"{step['op']} {strength:.2f}"
    return f"{step['op']} {operation.scale.name} {operation.scale.value(strength):.3g}"


def fitted(picture: Image, side: int) -> Pillow.Image:
    """A picture as large as it fits into a square of `side`, in its own shape; else white."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Pillow.new("RGB", (side, side), "white")
    shown = Pillow.fromarray(picture).resize(size, Pillow.Resampling.LANCZOS)
    square.paste(shown, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square
