"""Decode what shards hold. Apart from encoding, which readers do not load."""

from __future__ import annotations

import math

import numpy as np
from PIL import UnidentifiedImageError

from gends.models.degrader import Image
from gends.pictures.formats import open_image
from gends.pipeline.format.png import Window, decode_png, size_of

FORMATS = ("PNG", "WEBP", "JPEG")
MOST_PIXELS = 4096**2
"""Of a stored picture: the square of the largest resolution."""


def decode(data: bytes | memoryview, window: Window | None = None) -> Image:
    """Decode stored bytes to uint8 (H, W, 3) RGB, or that window of them.

    Raises:
        ValueError: they are no image of a format that is stored, or one larger than any that is,
            or the window leads outside of it.
    """
    size = size_of(data)
    if size is not None:
        check_size(size, window)
        image = decode_png(data, window or Window(0, 0, *size))
        if image is not None:
            return image
    return _decode_any(data, window)


def check_size(size: tuple[int, int], window: Window | None = None) -> None:
    """Raise ValueError for a picture larger than any that is stored, or a window outside of it."""
    height, width = size
    if math.prod(size) > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels, and none is stored so big")
    if window is None:
        return
    fits = window.top + window.height <= height and window.left + window.width <= width
    if min(window) < 0 or not (fits and window.height and window.width):
        raise ValueError(f"{tuple(window)} leads outside of {width}x{height} pixels")


def _decode_any(data: bytes | memoryview, window: Window | None) -> Image:
    try:
        with open_image(data, formats=FORMATS) as image:
            check_size((image.height, image.width), window)
            top, left, height, width = window or (0, 0, image.height, image.width)
            part = image.crop((left, top, left + width, top + height))
            return np.array(part.convert("RGB"))  # a copy: Pillow's own buffer is read-only
    except UnidentifiedImageError as error:
        raise ValueError("cannot identify image: neither PNG, WebP nor JPEG") from error
    except MemoryError:
        raise  # which says nothing about the picture
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error
        raise ValueError(f"not an image: {error}") from error
