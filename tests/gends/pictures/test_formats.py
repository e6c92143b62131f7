from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from gends.pictures import formats
from gends.pictures.formats import FORMATS, SUFFIXES, open_image, readable, unreadable_data
from gends.pipeline.making.load import decode
from gends.pipeline.planning.config import BuildConfig

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 96\n%%EndComments\n"
    b"0.2 0.6 0.9 setrgbcolor 0 0 96 96 rectfill\nshowpage\n%%EOF\n"
)


def encoded(kind: str, image: Pillow.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or Pillow.radial_gradient("L").convert("RGB")).save(buffer, kind, **options)
    return buffer.getvalue()


def test_every_ending_belongs_to_one_format():
    endings = [suffix for some in FORMATS.values() for suffix in some]
    assert len(endings) == len(set(endings))
    assert set(endings) >= SUFFIXES >= {".png", ".jpg", ".webp", ".tiff", ".avif"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000"])
def test_what_is_listed_is_opened(kind, tmp_path):
    data = encoded(kind)
    assert open_image(data).size == (256, 256)
    (tmp_path / "a").write_bytes(data)
    with open_image(tmp_path / "a") as image:
        assert image.format == kind


def test_several_pictures_in_one_jpeg_are_a_jpeg():
    second = Pillow.new("RGB", (256, 256), "red")
    data = encoded("MPO", save_all=True, append_images=[second])
    assert open_image(data).size == (256, 256)


@pytest.mark.parametrize("kind", ["TGA", "ICO", "PCX", "SGI", "DDS", "MSP", "SPIDER", "PDF"])
def test_what_is_not_listed_is_not_opened(kind):
    image = Pillow.new("1" if kind == "MSP" else "F" if kind == "SPIDER" else "RGB", (64, 64))
    with pytest.raises(UnidentifiedImageError):
        open_image(encoded(kind, image))
    with pytest.raises(Exception, match="not an image of a known format") as caught:
        decode(encoded(kind, image), BuildConfig(resolution=16))
    assert caught.value.code == "undecodable"


def test_postscript_starts_no_program(tmp_path):
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/called\nexit 1\n")
    (tmp_path / "gs").chmod(0o755)
    (tmp_path / "evil.png").write_bytes(POSTSCRIPT)
    script = (
        "import sys\n"
        "from PIL import UnidentifiedImageError\n"
        "from gends.pictures.formats import open_image\n"
        "try:\n    open_image(sys.argv[1]).load()\n"
        "except UnidentifiedImageError:\n    print('refused')\n"
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "evil.png"],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "refused\n"
    assert not (tmp_path / "called").exists()


def test_heic_is_read_where_pillow_heif_is_installed():
    pytest.importorskip("pillow_heif")
    assert "HEIF" in readable()
    assert ".heic" in SUFFIXES
    image = Pillow.linear_gradient("L").convert("RGB")
    found = decode(encoded("HEIF", image, quality=100), BuildConfig(resolution=64))
    assert np.abs(np.asarray(found, float) - np.asarray(image)).mean() < 3


def test_without_pillow_heif_its_name_is_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Pillow.OPEN, "HEIF", raising=False)
    without = importlib.reload(formats)
    try:
        assert ".heic" not in without.SUFFIXES
        assert "HEIF" not in without.readable()
        assert "pip install 'gends[heif]'" in without.unreadable_suffix(".HEIC")
        assert without.unreadable_suffix(".png") is None
        header = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
        assert "pillow-heif" in without.unreadable_data(header)
        assert without.unreadable_data(encoded("PNG")) is None
    finally:
        monkeypatch.undo()
        importlib.reload(formats)


def test_a_damaged_picture_of_a_readable_format_lacks_nothing():
    assert unreadable_data(encoded("AVIF")[:40]) is None
