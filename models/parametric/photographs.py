"""Photographs on which operations are measured and shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from gends.models.degrader import Image
from gends.pictures.formats import SUFFIXES, open_image


def load_square(path: Path, side: int) -> Image:
    """The middle of a photograph, uint8, (side, side, 3)."""
    with open_image(path) as file:
        upright = ImageOps.exif_transpose(file).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (side, side), Pillow.Resampling.LANCZOS))


def find_photographs(paths: Sequence[Path], most: int) -> list[Path]:
    """Up to `most` of the pictures named, or in folders named, evenly chosen."""
    found = [p for path in paths for p in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    pictures = [path for path in found if path.suffix.lower() in SUFFIXES]
    step = max(1.0, len(pictures) / most)
    return [pictures[int(n * step)] for n in range(min(most, len(pictures)))]
