"""Ten photographs in the public domain that come with gends."""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np

from gends.models.degrader import Image
from gends.pictures.formats import open_image

PHOTOS = resources.files("gends.models").joinpath("photos")
"""Folder of the photographs (JPEG) and of their credits."""


@functools.cache
def names() -> tuple[str, ...]:
    """File names, in alphabetical order."""
    return tuple(sorted(p.name for p in PHOTOS.iterdir() if p.name.endswith(".jpg")))


@functools.cache
def photograph(name: str) -> Image:
    """The decoded photograph, 720 pixels on the longer side; read only."""
    with open_image(PHOTOS.joinpath(name).read_bytes(), formats=("JPEG",)) as opened:
        pixels = np.array(opened.convert("RGB"))
    pixels.flags.writeable = False
    return pixels
