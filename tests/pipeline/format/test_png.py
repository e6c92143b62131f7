from __future__ import annotations

import io
import zlib

import cv2
import fpng
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from gends.pipeline.format.decode import decode
from gends.pipeline.format.png import Window, decode_png, size_of

pictures = arrays(
    np.uint8,
    st.tuples(st.integers(1, 40), st.integers(1, 24), st.just(3)),
    elements=st.integers(0, 255),
)


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(data)))


@st.composite
def windows(draw):
    picture = draw(pictures)
    height, width = picture.shape[:2]
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    tall, wide = draw(st.integers(1, height - top)), draw(st.integers(1, width - left))
    return picture, Window(top, left, tall, wide)


@given(windows())
def test_any_window_of_any_picture(case):
    picture, window = case
    data = fpng.from_ndarray(picture)
    assert size_of(data) == picture.shape[:2]
    top, left, height, width = window
    found = decode_png(data, window)
    assert np.array_equal(found, picture[top : top + height, left : left + width])
    assert np.array_equal(decode(data, window), found)
    assert found.flags.writeable


@pytest.mark.parametrize("side", [1, 2, 255, 256, 300])
def test_photographs_come_out_as_pillow_decodes_them(photographs, side):
    picture = np.ascontiguousarray(photographs["astronaut"][:side, : side + 7])
    data = fpng.from_ndarray(picture)
    assert np.array_equal(decode(data), by_pillow(data))
    noise = np.random.default_rng(side).integers(0, 256, picture.shape, dtype=np.uint8)
    data = fpng.from_ndarray(noise)  # stored without filters, as it does not shrink
    assert np.array_equal(decode(data), noise)


def test_other_png_files_are_left_to_a_general_decoder(photographs):
    picture = photographs["coffee"][:50, :60]
    files = {"cv2": cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()}
    for mode in ("RGB", "L", "RGBA", "P"):
        buffer = io.BytesIO()
        Pillow.fromarray(picture).convert(mode).save(buffer, "PNG")
        files[mode] = buffer.getvalue()
    for name, data in files.items():
        assert size_of(data) is None
        assert decode(data, Window(5, 7, 11, 13)).shape == (11, 13, 3), name
    assert np.array_equal(decode(files["cv2"]), picture)


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + crc


def test_the_mark_of_fpng_alone_is_not_believed(photographs):
    # Another program may keep the mark's chunk and filter the lines in ways of its own.
    picture = np.ascontiguousarray(photographs["coffee"][:8, :8])
    data = fpng.from_ndarray(picture)
    left = np.pad(picture, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    lines = [b"\x01" + line.tobytes() for line in picture - left]  # filter "sub"
    other = data[:50] + chunk(b"IDAT", zlib.compress(b"".join(lines))) + chunk(b"IEND", b"")
    assert size_of(other) == (8, 8)
    assert decode_png(other, Window(0, 0, 8, 8)) is None
    assert np.array_equal(decode(other), picture)


def test_a_file_that_unfolds_into_more_than_it_says_is_refused(photographs):
    data = fpng.from_ndarray(np.ascontiguousarray(photographs["coffee"][:8, :8]))
    for size in (8 * 25 + 1, 8 * 25 - 1, 1 << 24):
        other = data[:50] + chunk(b"IDAT", zlib.compress(bytes(size))) + chunk(b"IEND", b"")
        with pytest.raises(ValueError, match="not as many pixels as it says"):
            decode(other)


def test_a_damaged_byte_is_noticed_in_whole_files(photographs):
    data = bytearray(fpng.from_ndarray(np.ascontiguousarray(photographs["coffee"][:64, :64])))
    for place in range(70, len(data) - 20, 997):
        data[place] ^= 4
        with pytest.raises(ValueError, match="not an image"):
            decode(bytes(data))
        data[place] ^= 4


@pytest.mark.parametrize("window", [(0, 0, 9, 8), (1, 0, 8, 8), (0, 1, 8, 8), (-1, 0, 2, 2)])
@pytest.mark.parametrize("kind", ["fpng", "webp"])
def test_windows_lie_within_the_picture(photographs, window, kind):
    picture = np.ascontiguousarray(photographs["coffee"][:8, :8])
    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "WEBP", lossless=True)
    data = fpng.from_ndarray(picture) if kind == "fpng" else buffer.getvalue()
    with pytest.raises(ValueError, match="leads outside of 8x8 pixels"):
        decode(data, Window(*window))
