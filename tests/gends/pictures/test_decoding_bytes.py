"""Memory is measured in processes of their own, as its peak is one of a process."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from gends.pictures.decoding_bytes import BYTES_PER_PIXEL, decoding_bytes
from gends.pictures.formats import open_image
from gends.pipeline.making.load import UnusableError, decode
from gends.pipeline.planning.config import BuildConfig

SIZE = (3000, 2000)
MEASURE = """
import sys
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.making.load import decode
def memory(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
data, small = (open(path, "rb").read() for path in sys.argv[1:])
config = BuildConfig(resolution=16)
decode(small, config)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = memory("VmRSS")
decode(data, config)
print(memory("VmHWM") - before)
"""
BLOCKS = 60_000_000
"""What one block takes while it is converted, and a decoder beside its pictures."""


def pictures(size: tuple[int, int]) -> dict[str, Pillow.Image]:
    colour = Pillow.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 50).resize(size).convert("RGB")
    grey = np.asarray(colour.convert("L"))
    alpha = colour.copy()
    alpha.putalpha(colour.getchannel(0))
    return {
        "colour": colour,
        "alpha": alpha,
        "cmyk": colour.convert("CMYK"),
        "palette": colour.convert("P"),
        "deep": Pillow.fromarray(grey.astype(np.uint16) * 257),
        "float": Pillow.fromarray(grey.astype(np.float32)),
    }


def encoded(image: Pillow.Image, kind: str, options: dict) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(side: int, bits: int, colour: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(
    ("picture", "kind", "options"),
    [
        ("colour", "PNG", {"compress_level": 1}),
        ("alpha", "PNG", {"compress_level": 1}),
        ("palette", "PNG", {}),
        ("deep", "PNG", {"compress_level": 1}),
        ("colour", "JPEG", {"progressive": True, "subsampling": 0}),
        ("cmyk", "JPEG", {"progressive": True}),
        ("float", "TIFF", {}),
        ("colour", "TIFF", {"compression": "tiff_lzw", "strip_size": 1 << 30}),
        ("alpha", "WEBP", {"lossless": True, "method": 0, "quality": 0}),
        ("alpha", "JPEG2000", {}),
        ("alpha", "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
        ("palette", "GIF", {}),
    ],
)
def test_decoding_takes_no_more_than_is_reckoned(tmp_path, picture, kind, options):
    for name, size in (("large", SIZE), ("small", (64, 64))):
        (tmp_path / name).write_bytes(encoded(pictures(size)[picture], kind, options))
    command = [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"]
    taken = int(subprocess.run(command, capture_output=True, check=True).stdout)
    with open_image(tmp_path / "large") as opened:
        reckoned = decoding_bytes(opened)
    assert taken < reckoned + BLOCKS
    assert reckoned < 2.5 * taken  # nor is a photograph refused for what it does not take


def test_a_deep_picture_within_the_bound_takes_a_fraction_of_it(tmp_path):
    side, packing = 8000, zlib.compressobj(1)
    rows = b"".join(packing.compress(bytes(1 + 2 * side)) for _ in range(side)) + packing.flush()
    (tmp_path / "large").write_bytes(png(side, 16, 0, rows))
    (tmp_path / "small").write_bytes(png(64, 16, 0, zlib.compress(bytes(64 * 129))))
    command = [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"]
    taken = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert taken < side * side * 6 + BLOCKS


def test_a_tile_can_be_larger_than_the_picture():
    picture = Pillow.new("RGB", (64, 64))
    tiff = open_image(encoded(picture, "TIFF", {"compression": "tiff_lzw"}))
    assert decoding_bytes(tiff) < 64 * 64 * 16
    tiff.tag_v2[322] = tiff.tag_v2[323] = 30_000
    assert decoding_bytes(tiff) > 30_000**2 * 3


def test_over_the_bound_by_its_tile_is_refused_by_its_header():
    data = encoded(Pillow.new("RGB", (64, 64)), "TIFF", {"compression": "tiff_lzw"})
    start = struct.unpack("<I", data[4:8])[0]
    rows = data.index(struct.pack("<HH", 278, 3), start)  # rows per strip become a tile's width
    tags = data[:rows] + struct.pack("<HHII", 322, 4, 1, 40_000) + data[rows + 12 :]
    planar = tags.index(struct.pack("<HH", 284, 3), start)  # and the planes its height
    tags = tags[:planar] + struct.pack("<HHII", 323, 4, 1, 40_000) + tags[planar + 12 :]
    with pytest.raises(UnusableError, match=r"64x64 of TIFF .* take 4800 MB to decode") as caught:
        decode(tags, BuildConfig(resolution=64))
    assert caught.value.code == "too_large"


def test_formats_that_take_more_are_held_to_fewer_pixels():
    image = Pillow.new("RGB", (256, 256))
    config = BuildConfig(resolution=16, max_pixels=256 * 256)
    assert decode(encoded(image, "PNG", {}), config).size == (256, 256)
    assert decode(encoded(image, "JPEG", {"progressive": True}), config).size == (256, 256)
    with pytest.raises(UnusableError, match="max_pixels = 65536") as caught:
        decode(encoded(image, "JPEG2000", {}), config)
    assert caught.value.code == "too_large"
    more = config.model_copy(update={"max_pixels": 256 * 256 * 2})
    assert decode(encoded(image, "JPEG2000", {}), more).size == (256, 256)


def test_ordinary_photographs_reach_the_bound_of_pixels():
    for mode in ("L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"):
        image = Pillow.new(mode, (100, 100))
        for kind in ("PNG", "JPEG", "BMP"):
            image.format = kind
            assert decoding_bytes(image) <= BYTES_PER_PIXEL * 100 * 100, (mode, kind)
