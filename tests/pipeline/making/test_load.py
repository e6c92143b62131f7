from __future__ import annotations

import io
import os
import re
import resource
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms

from gends.models.degrader import Image
from gends.pipeline.making.load import UnusableError, cut, decode, load_views
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.sources.source import read_source
from gends.pipeline.types import CleanImage, Crop, Failure, Picture, View

CONFIG = BuildConfig(resolution=64)


@pytest.fixture(scope="module")
def photo(photographs) -> Pillow.Image:
    return Pillow.fromarray(photographs["astronaut"]).resize((120, 90))


def encoded(image: Pillow.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, config: BuildConfig = CONFIG) -> Image:
    decoded = decode(data, config)
    assert decoded.mode == "RGB"
    return np.asarray(decoded)


def load(folder: Path, uri: str, **facts) -> Picture | Failure:
    clean = CleanImage(source_id="x", uri=uri, dataset="d", **facts)
    (loaded,) = load_views([View(clean=clean, crop=None, requests=())], folder, CONFIG)
    return loaded


def failure(folder: Path, name: str, data: bytes) -> Failure:
    (folder / name).write_bytes(data)
    loaded = load(folder, name)
    assert isinstance(loaded, Failure)
    assert loaded.blake3 == blake3(data).hexdigest()
    assert loaded == load(folder, name)  # nothing in the text changes from run to run
    return loaded


def difference(a: Image, b: Image | Pillow.Image) -> float:
    return float(np.abs(a.astype(float) - np.asarray(b)).mean())


def png(width: int, height: int, data: bytes) -> bytes:
    """A one-bit grey PNG with the given compressed data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


# What cannot be used


def test_text_that_calls_itself_an_image(tmp_path):
    found = failure(tmp_path, "words.png", b"not a photograph")
    assert found.code == "undecodable"
    assert found.detail == "words.png: not an image of a known format"
    assert failure(tmp_path, "empty.png", b"").code == "undecodable"


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})]
)
def test_truncated_files(tmp_path, photo, kind, options):
    data = encoded(photo, kind, **options)
    found = failure(tmp_path, "half.img", data[: len(data) * 2 // 3])
    assert found.code == "undecodable"


def test_a_broken_header_is_no_crash(tmp_path, photo):
    data = bytearray(encoded(photo, "PNG"))
    data[20:24] = b"\x00\x00\x00\x00"
    assert failure(tmp_path, "zero.png", bytes(data)).code in ("undecodable", "too_small")


@pytest.mark.parametrize("size", [(1, 1), (63, 500), (500, 63)])
def test_too_small(tmp_path, size):
    found = failure(tmp_path, "dot.png", encoded(Pillow.new("RGB", size), "PNG"))
    assert found.code == "too_small"
    assert f"{size[0]}x{size[1]} has a side under 64" in found.detail


def test_a_bomb_is_refused_by_its_header(tmp_path):
    data = png(20_000, 20_000, zlib.compress(bytes(20_000 * 2_501), 1))
    assert len(data) < 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = failure(tmp_path, "bomb.png", data)
    assert found == Failure(
        code="too_large",
        detail="bomb.png: 20000x20000 is over max_pixels = 150000000",
        blake3=blake3(data).hexdigest(),
    )
    assert time.process_time() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kibibytes


@pytest.mark.parametrize(
    ("side", "bound", "says"),
    [(13_000, 150_000_000, "13000x13000 is over max_pixels = 150000000"), (100, 9_999, "100x100")],
)
def test_a_photograph_over_the_bound_is_not_decoded(side, bound, says):
    config = BuildConfig(resolution=16, max_pixels=bound)
    with pytest.raises(Exception, match=says) as caught:
        decode(png(side, side, b"decoding this would fail"), config)
    assert caught.value.code == "too_large"


def test_a_large_photograph_within_the_bound_is_decoded():
    # Pillow itself warns from 89 megapixels on; the configured bound rules.
    with pytest.raises(Exception, match="broken data stream") as caught:
        decode(png(9_500, 9_500, b"reached the decoder"), CONFIG)
    assert caught.value.code == "undecodable"
    assert "Bomb" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.png").mkdir()
    for uri, says in (
        ("link.png", "No such file"),
        ("gone.png", "No such file"),
        ("folder.png", "Is a directory"),
        ("a\0b.png", "null"),
        ("shard.tar!a.png", "No such file"),
    ):
        loaded = load(tmp_path, uri, **({"offset": 0, "size": 9} if "!" in uri else {}))
        assert isinstance(loaded, Failure)
        assert loaded.code == "unreadable"
        assert loaded.detail.startswith(f"{uri}: ")
        assert says in loaded.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "secret.png").chmod(0)
    assert load(tmp_path, "secret.png").code == "unreadable"


def test_what_would_be_read_for_ever_is_unreadable(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    failure = load(tmp_path, "pipe.png")
    assert failure.code == "unreadable"
    assert "not a regular file" in failure.detail


def test_a_duplicate_is_not_even_opened(tmp_path):
    loaded = load(tmp_path, "gone.png", duplicate_of="first")
    assert loaded == Failure(code="duplicate", detail="same bytes as first")


def test_a_problem_of_its_source_is_said_and_nothing_opened(tmp_path):
    loaded = load(tmp_path, "gone.tar", problem="the tar is damaged")
    assert loaded == Failure(code="bad_source", detail="gone.tar: the tar is damaged")


# What is handled as one would expect


@pytest.mark.parametrize("name", ["a b.c d.png", "ünï/图片.jpg", "no suffix", "-n .png"])
def test_names_with_spaces_dots_and_unicode(tmp_path, photo, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(photo, "PNG"))
    loaded = load(tmp_path, name)
    assert isinstance(loaded, Picture)
    assert loaded.pixels.shape == (64, 64, 3)
    assert loaded.blake3 == blake3(path.read_bytes()).hexdigest()


def test_a_member_of_a_tar_is_read_by_its_place(tmp_path, photo):
    data = encoded(photo, "PNG")
    (tmp_path / "s!.tar").write_bytes(b"x" * 512 + data + b"y" * 100)
    loaded = load(tmp_path, "s!.tar!a.png", offset=512, size=len(data))
    assert isinstance(loaded, Picture)
    assert loaded.blake3 == blake3(data).hexdigest()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF", "JPEG2000"])
def test_common_formats(photo, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert difference(pixels(encoded(photo, kind, **options)), photo) < (8 if kind == "GIF" else 1)


def test_grey_one_bit_and_palette(photo):
    grey = photo.convert("L")
    assert np.array_equal(pixels(encoded(grey, "PNG")), np.asarray(grey.convert("RGB")))
    one_bit = photo.convert("1")
    assert np.array_equal(pixels(encoded(one_bit, "PNG")), np.asarray(one_bit.convert("RGB")))
    palette = photo.convert("P")
    assert np.array_equal(pixels(encoded(palette, "PNG")), np.asarray(palette.convert("RGB")))


def test_cmyk_with_adobes_inverted_values(photo):
    data = encoded(photo.convert("CMYK"), "JPEG", quality=100, subsampling=0)
    assert b"Adobe" in data
    assert difference(pixels(data), photo) < 3


def test_sixteen_bits_are_scaled_and_not_clipped(photo):
    grey = np.asarray(photo.convert("L"))
    deep = grey.astype(np.uint16) * 257
    assert np.array_equal(pixels(encoded(Pillow.fromarray(deep), "PNG"))[..., 0], grey)
    assert np.array_equal(pixels(encoded(Pillow.fromarray(deep), "TIFF"))[..., 1], grey)
    # Darkness stays dark: these values would fit into 8 bits.
    dark = Pillow.fromarray((grey // 2).astype(np.uint16))
    assert pixels(encoded(dark, "PNG")).max() == 0


def test_sixteen_bits_in_colour(photo):
    deep = np.asarray(photo).astype(np.uint16) * 257
    data = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    assert difference(pixels(data), photo) < 1


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floats_and_long_integers_in_their_common_ranges(photo, white):
    grey = np.asarray(photo.convert("L"))
    grey = ((grey - grey.min()) / np.ptp(grey) * 255).round()
    data = encoded(Pillow.fromarray((grey / 255 * white).astype(np.float32)), "TIFF")
    assert np.array_equal(pixels(data)[..., 0], grey)
    if white > 1:
        data = encoded(Pillow.fromarray((grey / 255 * white).astype(np.int32)), "TIFF")
        assert difference(pixels(data)[..., 0], grey) < 1


def test_not_a_number_is_black():
    values = np.full((70, 70), 0.5, np.float32)
    values[0] = np.nan
    assert set(np.unique(pixels(encoded(Pillow.fromarray(values), "TIFF")))) == {0, 128}


def test_alpha_is_laid_over_white(photo):
    alpha = Pillow.new("L", photo.size, 255)
    alpha.paste(0, (0, 0, 40, 90))
    alpha.paste(128, (40, 0, 80, 90))
    rgba = photo.copy()
    rgba.putalpha(alpha)
    found, original = pixels(encoded(rgba, "PNG")), np.asarray(photo)
    assert (found[:, :40] == 255).all()
    assert np.array_equal(found[:, 80:], original[:, 80:])
    half = original[:, 40:80] * (128 / 255) + 255 * (127 / 255)
    assert np.abs(found[:, 40:80] - half).max() <= 1

    grey = rgba.convert("LA")
    assert (pixels(encoded(grey, "PNG"))[:, :40] == 255).all()


def test_transparent_colours_of_palettes_and_of_plain_images():
    palette = Pillow.new("P", (70, 70), 0)
    palette.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    palette.paste(1, (0, 0, 35, 70))
    one = pixels(encoded(palette, "PNG", transparency=1))
    assert one[0, 0].tolist() == [255, 255, 255]
    assert one[0, 69].tolist() == [200, 0, 0]
    several = pixels(encoded(palette, "PNG", transparency=bytes([0, 255, 255])))
    assert several[0, 69].tolist() == [255, 255, 255]
    assert several[0, 0].tolist() == [0, 200, 0]
    plain = Pillow.new("RGB", (70, 70), (1, 2, 3))
    assert (pixels(encoded(plain, "PNG", transparency=(1, 2, 3))) == 255).all()
    gif = pixels(encoded(palette, "GIF", transparency=1))
    assert gif[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(photo, kind):
    frames = [Pillow.new("RGB", photo.size, colour) for colour in ("blue", "red")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(photo, kind, save_all=True, append_images=frames, **options)
    assert difference(pixels(data), photo) < (8 if kind == "GIF" else 1)


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_followed(photo, orientation):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    found = pixels(encoded(photo, "PNG", exif=exif))
    assert np.array_equal(found, UPRIGHT[orientation](np.asarray(photo)))


def _red_and_blue_swapped() -> bytes:
    """The sRGB profile with its red and blue primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_an_embedded_profile_is_followed(photo, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(photo, kind, icc_profile=_red_and_blue_swapped(), **options)
    assert difference(pixels(data), np.asarray(photo)[..., ::-1]) < 1.5
    palette = photo.convert("P")
    data = encoded(palette, "PNG", icc_profile=_red_and_blue_swapped())
    assert difference(pixels(data), np.asarray(palette.convert("RGB"))[..., ::-1]) < 1.5


def test_srgb_itself_changes_next_to_nothing(photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(pixels(encoded(photo, "PNG", icc_profile=profile)), photo) < 0.5


@pytest.mark.parametrize("profile", [b"garbage", _red_and_blue_swapped()[:300]])
def test_a_broken_profile_is_ignored(photo, profile):
    assert np.array_equal(pixels(encoded(photo, "PNG", icc_profile=profile)), np.asarray(photo))


def test_a_profile_of_another_colour_space_is_ignored(photo):
    profile = _red_and_blue_swapped()
    grey = photo.convert("L")
    found = pixels(encoded(grey, "PNG", icc_profile=profile))
    assert np.array_equal(found, np.asarray(grey.convert("RGB")))


# Squares


def test_a_centred_square(photo):
    config = BuildConfig(resolution=90)
    assert np.array_equal(cut(photo, None, config), np.asarray(photo)[:, 15:105])
    upright = photo.transpose(Pillow.Transpose.ROTATE_90)
    assert np.array_equal(cut(upright, None, config), np.asarray(upright)[15:105])


def test_a_squashed_square_holds_everything(photo):
    config = BuildConfig(resolution=30, fit="squash")
    expected = photo.resize((30, 30), Pillow.Resampling.LANCZOS)
    assert np.array_equal(cut(photo, None, config), np.asarray(expected))


def test_random_crops_reach_from_the_pixels_themselves_to_the_short_side(photo):
    config = BuildConfig(resolution=30, fit="random")
    whole = np.asarray(photo)
    smallest = cut(photo, Crop(zoom=0, x=1, y=0), config)
    assert np.array_equal(smallest, whole[:30, 90:])
    largest = cut(photo, Crop(zoom=1, x=0, y=0.7), config)
    expected = photo.resize((30, 30), Pillow.Resampling.LANCZOS, box=(0, 0, 90, 90))
    assert np.array_equal(largest, np.asarray(expected))


@given(
    width=st.integers(16, 90),
    height=st.integers(16, 90),
    zoom=st.floats(0, 1),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_a_crop_never_leaves_the_photograph(width, height, zoom, x, y):
    # Pillow raises when a box does; a flat photograph stays flat when none of it is made up.
    flat = Pillow.new("RGB", (width, height), (9, 99, 199))
    config = BuildConfig(resolution=16, fit="random")
    found = cut(flat, Crop(zoom=zoom, x=x, y=y), config)
    assert found.shape == (16, 16, 3)
    assert (found == (9, 99, 199)).all()


def test_small_photographs_are_enlarged_only_when_asked(tmp_path, photo):
    config = BuildConfig(resolution=256, min_side=90)
    data = encoded(photo, "PNG")
    assert cut(decode(data, config), None, config).shape == (256, 256, 3)
    with pytest.raises(Exception, match="120x90 has a side under 256") as caught:
        decode(data, BuildConfig(resolution=256))
    assert caught.value.code == "too_small"


def test_pictures_are_fresh_memory_that_engines_may_wrap(photo):
    found = cut(photo, None, CONFIG)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_views_of_one_photograph_share_its_decoding(tmp_path, photo, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded(photo, "PNG"))
    (tmp_path / "b.png").write_bytes(b"text")
    opened = []
    real = Pillow.open
    monkeypatch.setattr(
        Pillow, "open", lambda *args, **options: opened.append(args) or real(*args, **options)
    )
    views = [
        View(
            clean=CleanImage(source_id=name, uri=f"{name}.png", dataset="d"),
            crop=Crop(zoom=0, x=x, y=0),
            requests=(),
        )
        for name in "ab"
        for x in (0.0, 1.0)
    ]
    first, second, *failed = load_views(views, tmp_path, BuildConfig(resolution=64, fit="random"))
    assert len(opened) == 2
    assert first.blake3 == second.blake3
    assert not np.array_equal(first.pixels, second.pixels)
    assert [f.code for f in failed] == ["undecodable"] * 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_photograph_that_is_replaced_in_its_middle_after_it_was_listed_is_noticed(
    tmp_path, packed
):
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    file = tmp_path / ("x.tar" if packed else "x.bmp")
    buffer = io.BytesIO()
    Pillow.fromarray(noise).save(buffer, "BMP")
    if packed:
        with tarfile.open(file, "w") as tar:
            member = tarfile.TarInfo("x.bmp")
            member.size = buffer.tell()
            buffer.seek(0)
            tar.addfile(member, buffer)
    else:
        file.write_bytes(buffer.getvalue())

    def listed() -> Catalog:
        rows = read_source(tmp_path)
        write_catalog(rows, tmp_path.parent / "catalog", base=tmp_path, default_dataset="d")
        return Catalog(tmp_path.parent / "catalog")

    def rewritten(catalog: Catalog) -> bool:
        (image,) = catalog.rows(0, 9)
        (found,) = load_views([View(clean=image, crop=None, requests=())], tmp_path, CONFIG)
        return found.rewritten

    before = listed()
    assert not rewritten(before)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert rewritten(before)
    after = listed()
    assert not rewritten(after)
    assert after.digest == before.digest  # its ends and its size are the same


def test_copies_elsewhere_make_the_same_catalog_whenever_they_were_written(tmp_path, photo):
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        photo.save(folder / "x.png")
        os.utime(folder / "x.png", ns=(1, len(digests)))
        catalog = tmp_path / f"{name}.parquet"
        write_catalog(read_source(folder), catalog, base=folder, default_dataset="d")
        digests.append(Catalog(catalog).digest)
    assert digests[0] == digests[1]


DECODE = """
import resource, sys
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.making.load import decode
data = open(sys.argv[1], "rb").read()
decode(data[:0] + open(sys.argv[2], "rb").read(), BuildConfig())  # plugins take memory, too
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
try:
    print("decoded", decode(data, BuildConfig()).size)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_machine_without_memory_is_no_fault_of_a_photograph(tmp_path):
    for name, side in (("large", 7000), ("small", 600)):
        Pillow.new("L", (side, side), 7).save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in ("large", "small")]
    done = subprocess.run(
        [sys.executable, "-c", DECODE, *files], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"MemoryError not enough for a photograph of \d+ bytes\n", done.stdout)


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error")])
def test_a_file_that_asks_for_more_than_any_picture_takes_is_damaged(photo, monkeypatch, error):
    def load(self: Pillow.Image) -> None:
        raise error

    data = encoded(photo, "PNG")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(UnusableError) as caught:
        decode(data, CONFIG)
    assert caught.value.code == "undecodable"
