"""The formats of photographs: how their files end, and the one place where Pillow opens them."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as Pillow

from gends.pictures.decoding_bytes import check_size

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm",),
    "JPEG2000": (".jp2",),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
"""Format as Pillow names it → endings of its files. No other is opened: Pillow knows some that run
programs (PostScript) or that nobody takes photographs in."""

HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
SUFFIXES = frozenset(
    suffix for name, some in FORMATS.items() if name != "HEIF" or HAS_HEIF for suffix in some
)
"""Files that end so can be read here."""

_HEIF = "HEIF (HEIC) is read where pillow-heif is installed: pip install 'gends[heif]'"
_AVIF = "AVIF is read by Pillow 11.3 and newer: pip install -U pillow"
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), ("AVIF", _AVIF)),
    **dict.fromkeys(
        (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), ("HEIF", _HEIF)
    ),
}


def unreadable_suffix(suffix: str) -> str | None:
    """What is lacking here to read files of that ending, and the way out; None for all others."""
    return _HEIF if not HAS_HEIF and suffix.lower() in FORMATS["HEIF"] else None


def unreadable_data(data: bytes) -> str | None:
    """What is lacking here to read an encoded picture, and the way out; None if it is nothing."""
    name, way_out = _BRANDS.get(data[8:12], ("", "")) if data[4:8] == b"ftyp" else ("", "")
    return way_out if name and name not in readable() else None


@functools.cache
def readable() -> tuple[str, ...]:
    """Those of `FORMATS` that can be read here, in their order."""
    Pillow.init()
    if HAS_HEIF:
        from pillow_heif import register_heif_opener  # noqa: PLC0415

        register_heif_opener()
    return tuple(name for name in FORMATS if name in Pillow.OPEN and _is_built_in(name))


def _is_built_in(name: str) -> bool:
    from PIL import features  # noqa: PLC0415

    # Pillow registers AVIF also where it was built without.
    return name != "AVIF" or bool(features.check("avif"))


def open_image(
    source: bytes | memoryview | str | os.PathLike[str],
    *,
    formats: Sequence[str] | None = None,
    max_pixels: int = 150_000_000,
) -> Pillow.Image:
    """Open a picture of a format that is listed, without decoding it yet.

    Args:
        source: the encoded picture, or its file.
        formats: only these; None takes all that are readable.
        max_pixels: see `check_size`.

    Raises:
        PIL.UnidentifiedImageError: it is of no such format.
        TooLargeError: decoding it would take too much memory.
        Exception: damaged ones raise anything from SyntaxError to struct.error.
    """
    place = io.BytesIO(source) if isinstance(source, (bytes, memoryview)) else Path(source)
    # Without Pillow's own bound: the size is held against ours.
    bound, Pillow.MAX_IMAGE_PIXELS = Pillow.MAX_IMAGE_PIXELS, None
    try:
        image = Pillow.open(place, formats=tuple(formats or readable()))
    finally:
        Pillow.MAX_IMAGE_PIXELS = bound
    try:
        check_size(image, max_pixels)
    except ValueError:
        image.close()
        raise
    return image
