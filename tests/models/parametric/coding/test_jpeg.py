"""JPEG against Pillow's libjpeg-turbo, ImageNet-C's, and the tables that its pixels give away."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import scipy.fft
import skimage.data
from PIL import Image

from gends.models.parametric.coding.codec import SUBSAMPLINGS, versions
from gends.models.parametric.coding.jpeg import JPEG, QUALITY
from gends.models.pixels import to_float, to_uint8

PHOTO = skimage.data.astronaut()


def _coded(levels: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    strength = QUALITY.strength(quality)
    return to_uint8(JPEG.apply(to_float(levels), {"subsampling": subsampling}, strength, 0))


def _pillow(levels: np.ndarray, quality: int, subsampling: str) -> Image.Image:
    data = io.BytesIO()
    Image.fromarray(levels).save(data, "JPEG", quality=quality, subsampling=subsampling)
    return Image.open(data)


def luma_blocks(levels: np.ndarray) -> np.ndarray:
    """Frequencies (blocks, 8, 8) of the luma's blocks of 8×8 that clip nowhere."""
    height, width = (n // 8 * 8 for n in levels.shape[:2])
    blocks = levels[:height, :width].reshape(height // 8, 8, width // 8, 8, 3).swapaxes(1, 2)
    blocks = blocks.reshape(-1, 8, 8, 3)
    whole = (blocks.min(axis=(1, 2, 3)) > 2) & (blocks.max(axis=(1, 2, 3)) < 253)
    luma = blocks[whole] @ np.array([0.299, 0.587, 0.114]) - 128
    return scipy.fft.dctn(luma, axes=(1, 2), norm="ortho")


def quantization_table(levels: np.ndarray) -> np.ndarray:
    """Steps that the frequencies' histograms are combs of; 0 where too few are not zero."""
    steps = np.arange(2, 256)
    table = np.zeros((8, 8), int)
    blocks = luma_blocks(levels)
    for row, column in np.ndindex(8, 8):
        values = blocks[:, row, column]
        values = values[np.abs(values) > 2.5]
        if len(values) < 40:
            continue
        comb = np.cos(2 * np.pi * values / steps[:, np.newaxis]).mean(axis=1)
        # No value but zero is nearer to zero than one step.
        comb[steps > 1.1 * np.quantile(np.abs(values), 0.1) + 1] = -1
        if comb.max() > 0.3:
            table[row, column] = steps[comb.argmax()]
    return table


def nearest_quality(table: np.ndarray) -> int:
    """The quality whose table, as Pillow writes it, is nearest to the known entries."""
    known = table > 0
    small = np.zeros((8, 8, 3), np.uint8)
    distances = []
    for quality in range(1, 101):
        written = np.reshape(_pillow(small, quality, "4:4:4").quantization[0], (8, 8))
        distances.append(np.abs(np.log(table[known] / written[known])).mean())
    return 1 + int(np.argmin(distances))


@pytest.mark.parametrize("subsampling", list(SUBSAMPLINGS))
@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90])
def test_the_luma_table_is_read_from_the_pixels(quality: int, subsampling: str):
    table = quantization_table(_coded(PHOTO, quality, subsampling))
    written = np.reshape(_pillow(PHOTO, quality, "4:4:4").quantization[0], (8, 8))
    known = table > 0
    assert known.sum() >= 11
    np.testing.assert_array_equal(table[known], written[known])
    assert nearest_quality(table) == quality


@pytest.mark.parametrize("subsampling", list(SUBSAMPLINGS))
@pytest.mark.parametrize("quality", [1, 2, 15, 60, 99])
def test_pillow_makes_the_same_pixels(quality: int, subsampling: str):
    odd = np.ascontiguousarray(PHOTO[:203, :301])
    expected = np.asarray(_pillow(odd, quality, subsampling))
    np.testing.assert_array_equal(_coded(odd, quality, subsampling), expected)


@pytest.mark.filterwarnings("ignore:pkg_resources")
def test_imagenet_c_makes_the_same_pixels():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = pytest.importorskip("imagecorruptions")
    for severity, quality in enumerate((25, 18, 15, 10, 7), 1):
        expected = oracle.corrupt(PHOTO, severity, "jpeg_compression")
        np.testing.assert_array_equal(_coded(PHOTO, quality, "4:2:0"), expected)


def test_subsampling_takes_detail_from_colour_alone():
    # Stripes of red and of the gray of the same luma, one pixel wide.
    red, gray = [200, 50, 50], [95, 95, 95]
    stripes = np.tile(np.array([red, gray], np.uint8), (64, 32, 1))
    full, columns = (_coded(stripes, 95, s).astype(int) for s in ("4:4:4", "4:2:2"))
    chroma = [np.abs(np.diff(c[..., 0] - c[..., 1], axis=1)).mean() for c in (full, columns)]
    assert chroma[0] > 100
    assert chroma[1] < 20
    turned = np.ascontiguousarray(stripes.swapaxes(0, 1))
    rows = [_coded(turned, 95, s).astype(int) for s in ("4:2:2", "4:2:0")]
    chroma = [np.abs(np.diff(c[..., 0] - c[..., 1], axis=0)).mean() for c in rows]
    assert chroma[0] > 100
    assert chroma[1] < 20


def test_the_encoders_are_named():
    assert all(any(c.isdigit() for c in version) for version in versions().values())
    assert set(versions()) == {"jpeg", "webp"}
