"""Pixels are used whatever is wrong with what else a file says; damaged pixels are not."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from gends.pipeline.making.load import UnusableError, decode
from gends.pipeline.photographs.metadata import without_broken_metadata
from gends.pipeline.planning.config import BuildConfig

CONFIG = BuildConfig(resolution=64)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def photo(photographs) -> Pillow.Image:
    return Pillow.fromarray(photographs["astronaut"]).resize((120, 90))


def encoded(image: Pillow.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes):
    with warnings.catch_warnings():  # Pillow warns of odd metadata
        warnings.simplefilter("ignore")
        return np.asarray(decode(data, CONFIG))


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def with_chunk(png: bytes, extra: bytes, before: bytes = b"IDAT") -> bytes:
    place = png.index(before) - 4
    return png[:place] + extra + png[place:]


CHUNKS = {
    "a compressed text of 3 MB": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
    "an international one": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
    "a text bomb": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9)),
    "a hundred texts": b"".join(
        chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(bytes(1_000_000))) for n in range(100)
    ),
    "plain text with a wrong checksum": chunk(b"tEXt", b"a\0b", 7),
    "text packed in an unknown way": chunk(b"zTXt", b"a\0\7" + b"b"),
    "text of no keyword": chunk(b"iTXt", b""),
    "Exif that is none": chunk(b"eXIf", b"nothing"),
    "Exif of no bytes": chunk(b"eXIf", b""),
    "Exif in a text that is no hexadecimal": chunk(
        b"tEXt", b"Raw profile type exif\0\nexif\n3\nxyz"
    ),
    "a profile that is none": chunk(b"iCCP", b"a\0\0" + b"none"),
    "a profile with a wrong checksum": chunk(b"iCCP", b"a\0\0" + zlib.compress(PROFILE), 7),
    "a profile bomb": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000), 9)),
    "a profile packed in an unknown way": chunk(b"iCCP", b"a\0\7b"),
    "a time with a wrong checksum": chunk(b"tIME", bytes(7), 7),
    "short physical pixels": chunk(b"pHYs", b"\0"),
    "short chromaticities": chunk(b"cHRM", b"\0\0\0"),
    "short gamma": chunk(b"gAMA", b""),
    "an animation of no frames": chunk(b"acTL", bytes(8)),
    "half a frame": chunk(b"acTL", b"\0\0\0\2" + bytes(4)) + chunk(b"fcTL", bytes(3)),
    "a private one with a wrong checksum": chunk(b"prVt", b"whatever", 7),
}


@pytest.mark.parametrize("what", CHUNKS)
@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
def test_chunks_beside_the_pixels_of_a_png(photo, what, before):
    png = with_chunk(encoded(photo, "PNG"), CHUNKS[what], before)
    assert np.array_equal(pixels(png), np.asarray(photo))


def test_a_large_profile_is_followed(photo):
    swapped = PROFILE.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    large = struct.pack(">I", 2_000_000) + swapped[4:].ljust(1_999_996, b"\0")
    png = with_chunk(encoded(photo, "PNG"), chunk(b"iCCP", b"a\0\0" + zlib.compress(large)))
    assert np.abs(pixels(png).astype(float) - np.asarray(photo)[..., ::-1]).mean() < 1.5


def test_what_is_whole_is_followed_beside_what_is_not(photo):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    png = with_chunk(encoded(photo, "PNG", exif=exif), CHUNKS["a compressed text of 3 MB"])
    assert np.array_equal(pixels(png), np.rot90(np.asarray(photo), -1))
    xmp = b'<x tiff:Orientation="3"/>'
    png = with_chunk(encoded(photo, "PNG"), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    png = with_chunk(png, CHUNKS["plain text with a wrong checksum"])
    assert np.array_equal(pixels(png), np.rot90(np.asarray(photo), 2))


def test_transparency_and_palette_are_kept(photo):
    png = encoded(photo.convert("P"), "PNG", transparency=3)
    assert np.array_equal(
        pixels(with_chunk(png, CHUNKS["plain text with a wrong checksum"])), pixels(png)
    )


def refused(data: bytes) -> bool:
    try:
        pixels(data)
    except UnusableError as error:
        return error.code == "undecodable"
    return False


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS"])
def test_what_decides_pixels_is_refused_where_its_checksum_is_wrong(photo, kind):
    png = bytearray(encoded(photo.convert("P"), "PNG", transparency=3))
    size = int.from_bytes(png[png.index(kind) - 4 : png.index(kind)], "big")
    png[png.index(kind) + 4 + size] ^= 1
    assert refused(bytes(png))
    assert refused(with_chunk(bytes(png), CHUNKS["a text bomb"]))


def test_damaged_pixels_are_refused_with_and_without_metadata(photo):
    png = encoded(photo, "PNG")
    start = png.index(b"IDAT") + 4
    for place in range(start + 10, len(png) - 20, len(png) // 20):
        damaged = bytearray(png)
        damaged[place] ^= 0x10
        assert refused(bytes(damaged)), place
        assert refused(with_chunk(bytes(damaged), CHUNKS["a text bomb"])), place
    for end in (start + 5, len(png) * 2 // 3, len(png) - 30):
        assert refused(png[:end])
        assert refused(with_chunk(png[:end], CHUNKS["a text bomb"]))


def test_a_png_that_ends_within_its_last_text(photo):
    png = with_chunk(encoded(photo, "PNG"), chunk(b"tEXt", b"a\0" + b"b" * 1000), b"IEND")
    assert np.array_equal(pixels(png[:-500]), np.asarray(photo))


def segment(marker: int, body: bytes) -> bytes:
    return bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize(
    ("marker", "start"),
    [
        (0xE0, b"JFIF"),
        (0xE1, b"Exif\0\0"),
        (0xE1, b"Exif\0\0MM\0*\0\0\0\x08"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE2, b"MPF\0II*\0\x08\0\0\0"),
        (0xED, b"Photoshop 3.0\x008BIM"),
        (0xEE, b"Adobe"),
        (0xFE, b""),
    ],
)
def test_segments_beside_the_pixels_of_a_jpeg(photo, marker, start):
    jpeg, rng = encoded(photo, "JPEG"), random.Random(marker)
    whole = pixels(jpeg)
    for length in range(24):
        body = start + rng.randbytes(length)
        found = pixels(jpeg[:2] + segment(marker, body) + jpeg[2:])
        # A transform that such a segment names is another matter.
        assert marker == 0xEE or np.array_equal(found, whole), (length, body)


def test_a_jpeg_keeps_its_turn_and_its_transform_beside_a_broken_segment(photo):
    exif = Pillow.Exif()
    exif[0x0112] = 8
    broken = segment(0xE2, b"ICC_PROFILE\0")
    for mode in ("RGB", "CMYK"):
        jpeg = encoded(photo.convert(mode), "JPEG", exif=exif)
        found = pixels(jpeg[:2] + broken + jpeg[2:])
        assert np.array_equal(found, pixels(jpeg)), mode
        assert found.shape == (120, 90, 3)
    assert refused(jpeg[:2] + broken + jpeg[2 : len(jpeg) * 2 // 3])


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_exif_of_webp_and_avif(photo, kind):
    exif = Pillow.Exif()
    exif[0x0112] = 1
    whole, rng = exif.tobytes(), random.Random(1)
    plain = pixels(encoded(photo, kind))
    for number in range(12):
        broken = bytearray(whole)
        broken[rng.randrange(6, len(broken))] = rng.randrange(256)
        data = encoded(photo, "WEBP", exif=rng.randbytes(number) if number % 2 else bytes(broken))
        pixels(data)  # whatever turn it says now
    assert plain.shape == (90, 120, 3)


def with_tag(tiff: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """A TIFF whose table of tags, now at its end, says one thing more."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (number,) = struct.unpack_from("<H", tiff, start)
    places = range(start + 2, start + 2 + 12 * number, 12)
    entries = {struct.unpack_from("<H", tiff, at)[0]: tiff[at : at + 12] for at in places}
    entries[tag] = struct.pack("<HHII", tag, kind, count, value)
    table = struct.pack("<H", len(entries)) + b"".join(entries[key] for key in sorted(entries))
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + table + bytes(4)


@pytest.mark.parametrize(
    ("tag", "kind", "count", "value"),
    [
        (34665, 6, 1, 0x80),  # Exif at a place before the file
        (34665, 4, 2, 1 << 31),
        (34853, 9, 1, 1 << 31),  # GPS likewise
        (700, 3, 1, 8),  # XMP that is a number
        (700, 2, 4, 8),  # and one that is a text
        (270, 13, 1 << 31, 8),  # a description without end
        (274, 13, 1 << 31, 8),  # an orientation without end
        (274, 2, 3, 8),
        (34675, 3, 1, 8),  # a profile that is a number
    ],
)
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_tags_beside_the_pixels_of_a_tiff(photo, tag, kind, count, value, options):
    tiff = with_tag(encoded(photo, "TIFF", **options), tag, kind, count, value)
    assert np.array_equal(pixels(tiff), np.asarray(photo))


def test_whole_files_stay_as_they_are(photo):
    for kind in ("PNG", "TIFF", "WEBP", "BMP"):
        data = encoded(photo, kind)
        assert without_broken_metadata(data) == (data, None)
