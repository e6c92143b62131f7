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
    for name, grey in (("rainy", 20), ("elsewhere/rainy", 20), ("other", 10)):
        assert (RestoredFolder(folder, [name]).read(name, "a-rain-000", (6, 8)) == grey).all()


def test_several_datasets_need_a_subfolder_each_of_a_name_of_its_own(folder):
    pictures = RestoredFolder(folder, ["rainy", "other"])
    pictures.check("rainy", ["a-rain-000"])
    with pytest.raises(ValueError, match="other: 1 pairs of other have no restored picture"):
        pictures.check("other", ["a-rain-000"])
    with pytest.raises(ValueError, match=r"rainy cannot hold .* a/rainy, b/rainy; restore each"):
        RestoredFolder(folder, ["a/rainy", "c", "b/rainy"])


def test_grey_becomes_rgb_in_any_format(folder):
    image = RestoredFolder(folder, ["other"]).read("other", "b-rain-000", (6, 8))
    assert (image == np.full((6, 8, 3), 30, np.uint8)).all()


def test_missing_pictures_are_named_before_anything_is_scored(folder):
    pictures = RestoredFolder(folder, ["other"])
    pictures.check("other", ["a-rain-000", "b-rain-000"])
    with pytest.raises(
        ValueError, match=r"7 pairs of other have no restored picture.*: k0, k1, k2"
    ):
        pictures.check("other", ["a-rain-000", *(f"k{n}" for n in range(7))])
    with pytest.raises(ValueError, match="1 pairs of rainy"):
        RestoredFolder(folder, ["rainy"]).check("rainy", ["a-rain-000", "b-rain-000"])


def test_another_size_or_no_picture_names_the_file(folder):
    with pytest.raises(ValueError, match=r"a-rain-000\.png has 8x6 pixels, its pair 16x12"):
        RestoredFolder(folder, ["other"]).read("other", "a-rain-000", (12, 16))
    (folder / "a-rain-000.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"a-rain-000\.png: no readable picture"):
        RestoredFolder(folder, ["other"]).read("other", "a-rain-000", (6, 8))
