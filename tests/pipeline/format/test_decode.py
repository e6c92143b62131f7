from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from gends.pipeline.format.decode import decode
from gends.pipeline.making.pack import encode
from gends.pipeline.planning.config import BuildConfig

PNG = BuildConfig(image_format="png")


@pytest.fixture(scope="module")
def picture(photographs):
    return np.ascontiguousarray(photographs["chelsea"][40:168, 100:228])


def test_decoded_pixels_may_be_written_to(picture):
    # torch.from_numpy() warns about memory that may not.
    found = decode(encode(picture, PNG))
    assert found.dtype == np.uint8
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("image_format", "size", "says"),
    [("PNG", (4097, 4097), "4097x4097 pixels"), ("BMP", (8, 8), "neither PNG, WebP nor JPEG")],
)
def test_what_no_build_stores_is_not_decoded(image_format, size, says):
    buffer = io.BytesIO()
    Pillow.new("1", size).save(buffer, image_format)
    with pytest.raises(ValueError, match=says):
        decode(buffer.getvalue())


def test_a_damaged_picture_is_a_value_error(picture):
    data = encode(picture, PNG)
    for bad in (b"", data[:40], data[: len(data) // 2], data[:20] + b"\xff" * 8 + data[28:]):
        with pytest.raises(ValueError, match="image"):
            decode(bad)
