"""How much memory a picture takes while it is decoded: asked before that is done."""

from __future__ import annotations

from PIL import Image as Pillow

BYTES_PER_PIXEL = 16
"""Memory that decoding may take for each pixel that is allowed. Photographs of 8 and 16 bits take
half of it or less; the rest is for formats whose decoders hold a picture several times."""

_MODES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Bytes of a pixel as Pillow holds it; of all other modes 4, also of three bands."""
_DECODERS = {"WEBP": 12, "JPEG2000": 20, "AVIF": 8, "HEIF": 8}
"""Bytes that a decoder itself takes for each pixel, at most (measured); see `_own` for others."""
_RGB = 4
_TILE = (322, 323)
_ROWS_PER_STRIP, _BITS, _SAMPLES = 278, 258, 277


class TooLargeError(ValueError):
    """A picture that would take too much memory."""


def check_size(image: Pillow.Image, max_pixels: int) -> None:
    """Raise TooLargeError for an opened picture that would take too much memory.

    Its pixels must not be more than `max_pixels`, nor its memory (see `decoding_bytes`) more than
    `BYTES_PER_PIXEL` for each of these.
    """
    size = f"{image.width}x{image.height}"
    if image.width * image.height > max_pixels:
        raise TooLargeError(f"{size} is over max_pixels = {max_pixels}")
    needed, most = decoding_bytes(image), max_pixels * BYTES_PER_PIXEL
    if needed > most:
        raise TooLargeError(
            f"{size} of {image.format} ({image.mode}) take {needed / 1e6:.0f} MB to decode, over "
            f"the {most / 1e6:.0f} MB of max_pixels = {max_pixels} ({BYTES_PER_PIXEL} bytes each)"
        )


def decoding_bytes(image: Pillow.Image) -> int:
    """Bytes that an opened picture takes while it is decoded and made RGB, at most.

    Not counted: the encoded picture, and what does not grow with its size.
    """
    stored = _MODES.get(image.mode, 4)
    return image.width * image.height * (stored + _RGB) + _own(image)


def _own(image: Pillow.Image) -> int:
    """Of the decoder itself."""
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        return pixels * 2 * len(image.getbands())  # coefficients, where there are several scans
    if image.format == "TIFF":
        return _of_tiles(image)
    return pixels * _DECODERS.get(image.format or "", 0)


def _of_tiles(image: Pillow.Image) -> int:
    """Of one tile or strip of a TIFF, which can be larger than the picture."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    width, height = (_number(tags.get(tag)) for tag in _TILE)
    if not width or not height:
        rows = _number(tags.get(_ROWS_PER_STRIP)) or image.height
        width, height = image.width, min(rows, image.height)
    bits, samples = _number(tags.get(_BITS)) or 1, _number(tags.get(_SAMPLES)) or 1
    return width * height * samples * max(bits, 8) // 8


def _number(value: object) -> int:
    """Of a tag, whose values may be several, or nonsense."""
    values = value if isinstance(value, tuple) else (value,)
    return max((number for number in values if isinstance(number, int)), default=0)
