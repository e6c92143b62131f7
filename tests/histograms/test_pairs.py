import numpy as np
import pytest
from PIL import Image

from gends.histograms.fit import fit
from gends.histograms.pairs import iterate_pairs
from gends.histograms.severity import measure


def image(seed, size=(24, 16)):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def put(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


@pytest.fixture
def single(tmp_path):
    for name in ("one.two", "ünd 3"):
        put(image(1), tmp_path / "gt" / f"{name}.png")
        put(image(2), tmp_path / "lq" / f"{name}.bmp")
    return tmp_path


def test_a_tree_names_what_it_holds(tmp_path):
    for folder in ("Low-Light/LOL", "haze/B", "haze/A"):
        put(image(1), tmp_path / folder / "gt" / "x.png")
        put(image(2), tmp_path / folder / "lq" / "x.png")
    rows = list(iterate_pairs(tmp_path, size=None))
    assert [row[:2] for row in rows] == [("low_light", "LOL"), ("haze", "A"), ("haze", "B")]
    severity = measure(np.asarray(image(2)), np.asarray(image(1)))
    assert {row[2:] for row in rows} == {(severity.mu, severity.sigma)}
    assert fit(rows).degradations["haze"].shares == {"A": 0.5, "B": 0.5}


def test_a_single_dataset_is_named_by_the_caller(single):
    rows = list(iterate_pairs(single, "motion blur", "Mine"))
    assert [row[:2] for row in rows] == [("motion_blur", "Mine")] * 2


def test_images_are_compared_at_256_unless_told_otherwise(single):
    first = next(iterate_pairs(single, "haze", "A"))
    lq, gt = (
        np.asarray(image(seed).resize((256, 256), Image.Resampling.LANCZOS)) for seed in (2, 1)
    )
    assert first[2:] == (measure(lq, gt).mu, measure(lq, gt).sigma)
    assert first[2:] != next(iterate_pairs(single, "haze", "A", size=None))[2:]


def test_sub_folders_belong_to_the_name(tmp_path):
    for scene in ("a", "b"):
        put(image(1), tmp_path / "gt" / scene / "0.png")
        put(image(2), tmp_path / "lq" / scene / "0.png")
    assert len(list(iterate_pairs(tmp_path, "haze", "A"))) == 2


def test_what_is_no_image_is_passed_over(single):
    (single / "gt" / "readme.txt").write_text("hello")
    (single / "lq" / ".hidden.png").write_text("hello")
    assert len(list(iterate_pairs(single, "haze", "A"))) == 2


@pytest.mark.parametrize("half", ["gt", "lq"])
def test_an_image_without_partner_is_named(single, half):
    path = put(image(3), single / half / "lonely.png")
    with pytest.raises(ValueError, match="lonely") as caught:
        list(iterate_pairs(single, "haze", "A"))
    assert str(path) in str(caught.value)


def test_two_images_of_one_name_are_refused(single):
    put(image(3), single / "lq" / "one.two.png")
    with pytest.raises(ValueError, match=r"one\.two\.png and .*one\.two\.bmp"):
        list(iterate_pairs(single, "haze", "A"))


def test_sizes_must_agree_when_nothing_is_resized(single):
    put(image(2, (25, 16)), single / "lq" / "ünd 3.bmp")
    with pytest.raises(ValueError, match=r"ünd 3.*one shape"):
        list(iterate_pairs(single, "haze", "A", size=None))


def test_orientation_and_other_modes_are_brought_to_rgb(tmp_path):
    picture = image(1)
    turned = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 270 degrees
    (tmp_path / "gt").mkdir()
    turned.save(tmp_path / "gt" / "x.png", exif=exif)
    put(picture.convert("RGBA"), tmp_path / "lq" / "x.png")
    assert next(iterate_pairs(tmp_path, "haze", "A", size=None))[2:] == (0, 0)


def broken_text(path):
    path.write_text("no image")


def truncated(path):
    image(1).save(path)
    path.write_bytes(path.read_bytes()[:-60])


def sixteen_bits(path):
    Image.fromarray(np.full((16, 24), 40_000, np.uint16)).save(path)


@pytest.mark.parametrize("spoil", [broken_text, truncated, sixteen_bits])
def test_an_unreadable_image_is_named(tmp_path, spoil):
    put(image(1), tmp_path / "gt" / "x.png")
    put(image(1), tmp_path / "lq" / "x.png")
    spoil(tmp_path / "lq" / "x.png")
    with pytest.raises(ValueError, match=r"lq.x\.png"):
        list(iterate_pairs(tmp_path, "haze", "A"))


def test_formats_that_are_not_read_are_named_and_not_opened(single):
    (single / "gt" / "evil.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    put(image(1), single / "lq" / "old.tga")
    told = []
    rows = list(iterate_pairs(single, "rain", "d", skip=told.append))
    assert len(rows) == 2
    assert [str(error).partition(": ")[0] for error in told] == [
        str(single / "gt" / "evil.eps"),
        str(single / "lq" / "old.tga"),
    ]
    assert all("convert it to PNG" in str(error) for error in told)


def test_other_layouts_are_refused(tmp_path, single):
    with pytest.raises(ValueError, match="which degradation and which dataset"):
        iterate_pairs(single, "haze")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no pairs"):
        iterate_pairs(tmp_path / "empty")
    with pytest.raises(ValueError, match="leave them out"):
        iterate_pairs(tmp_path / "empty", "haze", "A")
    put(image(1), tmp_path / "half" / "haze" / "A" / "lq" / "x.png")
    with pytest.raises(ValueError, match="gt is missing"):
        list(iterate_pairs(tmp_path / "half"))
