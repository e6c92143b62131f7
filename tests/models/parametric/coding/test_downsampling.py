"""Factor and place of what was made smaller and large again."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.registration import phase_cross_correlation
from skimage.transform import downscale_local_mean

from gends.models.parametric.coding.downsampling import (
    DOWNSAMPLING,
    FACTOR,
    KERNELS,
    UP_KERNELS,
)
from gends.models.pixels import Photo, to_float, to_uint8

PHOTO = to_float(np.ascontiguousarray(skimage.data.astronaut()[:480, :480]))


def _sampled(image: Photo, factor: float, down: str, up: str, blur: float = 0.0) -> Photo:
    parameters = {"kernel": down, "up_kernel": up, "blur": blur}
    return DOWNSAMPLING.apply(image, parameters, FACTOR.strength(factor), 0)


@pytest.mark.parametrize("factor", [1.5, 2, 2.7, 3, 4, 8])
@pytest.mark.parametrize("up", UP_KERNELS)
@pytest.mark.parametrize("down", KERNELS)
def test_the_pair_stays_aligned(down: str, up: str, factor: float):
    # Detail that the copy cannot hold turns into other detail, whose place says nothing.
    clean = np.asarray(cv2.GaussianBlur(PHOTO, (0, 0), 0.8 * factor))
    degraded = _sampled(clean, factor, down, up)
    window = np.outer(np.hanning(480), np.hanning(480))[..., np.newaxis]
    views = [window * (picture - picture.mean()) for picture in (clean, degraded)]
    views = [cv2.GaussianBlur(view[..., 1], (0, 0), factor / 2) for view in views]
    shift, *_ = phase_cross_correlation(*views, upsample_factor=100, normalization=None)
    assert np.abs(shift).max() < 0.05


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_area_and_nearest_are_blocks_of_means(factor: int):
    means = downscale_local_mean(PHOTO, (factor, factor, 1))
    expected = means.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_allclose(_sampled(PHOTO, factor, "area", "nearest"), expected, atol=1e-5)


def test_imagenet_c_pixelates_alike():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = pytest.importorskip("imagecorruptions")
    levels = to_uint8(PHOTO)
    for severity, share in ((2, 0.5), (5, 0.25)):
        ours = to_uint8(_sampled(PHOTO, 1 / share, "area", "nearest"))
        theirs = oracle.corrupt(levels, severity, "pixelate")
        # It rounds to eight bits between rows and columns.
        assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("down", ["bicubic", "nearest"])
def test_area_keeps_fine_stripes_from_turning_into_coarse_ones(down: str):
    columns = 0.5 + 0.5 * np.cos(2 * np.pi * np.arange(256) / 2.2)
    stripes = np.tile(columns.astype(np.float32)[:, np.newaxis], (256, 1, 3))
    area, other = (_sampled(stripes, 4, kernel, "bicubic") for kernel in ("area", down))
    assert np.std(other) > 1.5 * np.std(area)


def test_blur_before_takes_the_false_stripes_away():
    columns = 0.5 + 0.5 * np.cos(2 * np.pi * np.arange(256) / 2.2)
    stripes = np.tile(columns.astype(np.float32)[:, np.newaxis], (256, 1, 3))
    assert np.std(_sampled(stripes, 4, "nearest", "bicubic", blur=0.5)) < 0.02
