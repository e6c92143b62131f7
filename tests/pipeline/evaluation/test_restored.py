from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gends.pipeline.evaluation.restored import RestoredFolder


@pytest.fixture
def folder(tmp_path):
    for place, grey in ((tmp_path, 10), (tmp_path / "rainy", 20)):
        place.mkdir(exist_ok=True)
        Image.new("RGB", (8, 6), (grey,) * 3).save(place / "a-rain-000.png")
    Image.new("L", (8, 6), 30).save(tmp_path / "b-rain-000.webp", lossless=True)
    return tmp_path


def test_a_subfolder_of_the_datasets_name_comes_first(folder):
    pictures = RestoredFolder(folder)
    assert (pictures.read("rainy", "a-rain-000", (6, 8)) == 20).all()
    assert (pictures.read("elsewhere/rainy", "a-rain-000", (6, 8)) == 20).all()
    assert (pictures.read("other", "a-rain-000", (6, 8)) == 10).all()


def test_grey_becomes_rgb_in_any_format(folder):
    image = RestoredFolder(folder).read("other", "b-rain-000", (6, 8))
    assert (image == np.full((6, 8, 3), 30, np.uint8)).all()


def test_missing_pictures_are_named_before_anything_is_scored(folder):
    pictures = RestoredFolder(folder)
    pictures.check("other", ["a-rain-000", "b-rain-000"])
    with pytest.raises(
        ValueError, match=r"7 pairs of other have no restored picture.*: k0, k1, k2"
    ):
        pictures.check("other", ["a-rain-000", *(f"k{n}" for n in range(7))])
    with pytest.raises(ValueError, match="1 pairs of rainy"):
        pictures.check("rainy", ["a-rain-000", "b-rain-000"])


def test_another_size_or_no_picture_names_the_file(folder):
    with pytest.raises(ValueError, match=r"a-rain-000\.png has 8x6 pixels, its pair 16x12"):
        RestoredFolder(folder).read("other", "a-rain-000", (12, 16))
    (folder / "a-rain-000.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"a-rain-000\.png: no readable picture"):
        RestoredFolder(folder).read("other", "a-rain-000", (6, 8))
