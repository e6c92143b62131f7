"""Decode the PNG files that fpng writes, whole or in part.

fpng (https://github.com/richgel999/fpng) marks its files with a chunk of its own, puts all pixels
into one IDAT chunk, and filters all lines but the first by "up": the difference from the line
above. So a window needs no line below it and no column beside it, and lines are added up whole.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from gends.models.degrader import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PLAIN = (8, 2, 0, 0, 0)
"""Bit depth, colour type, compression, filtering and interlacing: 8-bit RGB."""
PIXELS_AT = 58
"""Bytes before the pixels: signature, IHDR (25), fdEC (17) and the head of IDAT."""
STORED, UP = 0, 2
"""Types of filters."""


class Window(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def size_of(data: bytes | memoryview) -> tuple[int, int] | None:
    """Height and width of a file that fpng wrote; None of any other."""
    if len(data) < PIXELS_AT or data[:8] != SIGNATURE or data[37:41] != b"fdEC":
        return None
    width, height, *kind = struct.unpack_from(">4x4xII5B", data, 8)
    plain = data[12:16] == b"IHDR" and tuple(kind) == PLAIN and data[54:58] == b"IDAT"
    return (height, width) if plain and height and width else None


def decode_png(data: bytes | memoryview, window: Window) -> Image | None:
    """Pixels of a window of a file that fpng wrote, uint8 (height, width, 3) RGB.

    None if its lines are filtered as fpng does not: then it needs a general decoder. The caller
    sees to it that `size_of` knows the file and that the window lies within it.

    Raises:
        ValueError: the pixels are damaged, or too few.
    """
    known = size_of(data)
    assert known is not None
    height, line = known[0], 1 + 3 * known[1]
    last = window.top + window.height
    lines = _inflated(data, last * line, whole=last == height).reshape(last, line)
    filters = lines[:, 0]
    columns = lines[:, 1 + 3 * window.left : 1 + 3 * (window.left + window.width)]
    shape = (window.height, window.width, 3)
    if not filters.any():
        stored: Image = columns[window.top :].reshape(shape).copy()
        return stored
    if filters[0] not in (STORED, UP) or (filters[1:] != UP).any():
        return None
    pixels = columns[window.top :].copy()
    if window.top:
        pixels[0] += np.add.reduce(columns[: window.top], axis=0, dtype=np.uint8)
    _add_up(pixels)
    image: Image = pixels.reshape(shape)
    return image


def _inflated(data: bytes | memoryview, size: int, *, whole: bool) -> npt.NDArray[np.uint8]:
    length = int.from_bytes(data[50:54], "big")
    packed = memoryview(data)[PIXELS_AT : PIXELS_AT + length]
    stream = isal_zlib.decompressobj()
    try:
        # One byte more than there should be, to see the end, where the checksum of zlib is.
        found = stream.decompress(packed, size + whole)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub says instance
        raise ValueError(f"not an image: its pixels are damaged ({error})") from error
    if len(found) != size or (whole and not stream.eof):
        raise ValueError("not an image: it has not as many pixels as it says")
    return np.frombuffer(found, np.uint8)


def _add_up(lines: npt.NDArray[np.uint8]) -> None:
    """Add to each line all those above it, modulo 256, in place.

    In blocks of about as many lines as there are blocks: numpy is called that often, instead of
    once for each line.
    """
    height, width = lines.shape
    step = math.isqrt(height)
    count = height // step
    blocks = lines[: count * step].reshape(count, step, width)
    for line in range(1, step):
        blocks[:, line] += blocks[:, line - 1]
    for block in range(1, count):
        blocks[block] += blocks[block - 1, -1]
    for line in range(count * step, height):
        lines[line] += lines[line - 1]
