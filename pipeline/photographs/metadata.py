"""Metadata that a decoder stumbles over is left out: the pixels beside it are whole."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL.PngImagePlugin import PngStream

MOST_PROFILE = 1 << 24
"""Bytes of a colour profile that is followed. Pillow itself refuses those of PNGs from 1 MiB on."""
_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_TIFF_TEXTS = (270, 271, 272, 285, 305, 306, 315, 316, 33432)
_TIFF_METADATA = frozenset((*_TIFF_TEXTS, 700, 33723, 34377, 34665, 34853, 40965))
_ORIENTATION, _SHORT = 274, 3


def without_broken_metadata(data: bytes) -> tuple[bytes, bytes | None]:
    """The encoded picture without metadata that is broken or too large; and its colour profile.

    PNG loses ancillary chunks with a wrong checksum and those that Pillow cannot read, as libpng
    would have it, and an animation's later frames; what decides pixels (IHDR, PLTE, tRNS, IDAT)
    stays as it is, and damage to it remains one. JPEG loses application segments and comments but
    Exif and whole profiles; TIFF loses texts, Exif and XMP. The profile is None except where PNG
    holds one that is too large for Pillow.
    """
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data), None
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(data), None
    return data, None


def _png(data: bytes) -> tuple[bytes, bytes | None]:
    kept, profile = [_PNG], None
    texts = PngStream(io.BytesIO())  # one for all: it counts how much they are together
    for kind, start, end in _chunks(data):
        body = memoryview(data)[start + 8 : end - 4]
        decides = kind[:1].isupper() or kind == b"tRNS"
        whole = zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(data[end - 4 : end], "big")
        if decides or (whole and kind not in _ANIMATION and _is_read(texts, kind, body)):
            kept.append(data[start:end])
        elif kind == b"iCCP" and whole:
            profile = _profile(body)
    return b"".join(kept), profile


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk of a PNG; what is cut off or no chunk is the last."""
    start = len(_PNG)
    while start < len(data):
        size, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        end = start + size + 12
        if end > len(data) or not kind.isalpha():
            if not kind[:1].islower():  # cut off within the pixels, or nobody knows where
                yield b"IDAT", start, len(data)
            return
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end


def _is_read(stream: PngStream, kind: bytes, body: memoryview) -> bool:
    stream.fp = io.BytesIO(body)
    try:
        stream.call(kind, 0, len(body))
    except AttributeError:
        return True  # it is not known, and so not looked at
    except Exception:
        return False
    return True


def _profile(body: memoryview) -> bytes | None:
    _, _, packed = bytes(body).partition(b"\0")
    try:
        unpacking = zlib.decompressobj()
        profile = unpacking.decompress(packed[1:], MOST_PROFILE)
    except zlib.error:
        return None
    return None if unpacking.unconsumed_tail else profile


def _jpeg(data: bytes) -> bytes:
    kept, start = [data[:2]], 2
    while start + 4 <= len(data) and data[start] == 0xFF:
        marker, size = data[start + 1], int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == 0xDA:  # the pixels begin
            break
        if _is_kept(marker, data[start + 4 : start + 2 + size]):
            kept.append(data[start : start + 2 + size])
        start += 2 + size
    return b"".join([*kept, data[start:]])


def _is_kept(marker: int, body: bytes) -> bool:
    if marker == 0xE1:
        return body.startswith(b"Exif\0\0")
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0") and len(body) > 14
    if marker == 0xEE:  # says how colours were transformed
        return body.startswith(b"Adobe") and len(body) >= 12
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _tiff(data: bytes) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        first = start + 2
        entries = [data[at : at + 12] for at in range(first, first + 12 * count, 12)]
        kept = [entry for entry in entries if _is_pixels(*struct.unpack_from(f"{order}HHI", entry))]
    except struct.error:
        return data
    following = data[first + 12 * count : first + 12 * count + 4]
    table = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + following
    return data[:start] + table + data[start + len(table) :]


def _is_pixels(tag: int, kind: int, count: int) -> bool:
    if tag == _ORIENTATION:
        return (kind, count) == (_SHORT, 1)
    return tag not in _TIFF_METADATA
