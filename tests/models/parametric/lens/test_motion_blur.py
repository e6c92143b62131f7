from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gends.models.parametric.lens.motion_blur import MOTION_BLUR, path, trace
from gends.models.pixels import Photo


@given(draw=st.integers(0, 2**32), seed=st.integers(0, 2**64 - 1), length=st.floats(0, 120))
@settings(max_examples=60, deadline=None)
def test_kernels_are_centred_and_keep_the_light(draw: int, seed: int, length: float):
    kernel = trace(path(MOTION_BLUR.draw(np.random.default_rng(draw)), seed) * length)
    middle = kernel.shape[0] // 2
    y, x = np.mgrid[-middle : middle + 1, -middle : middle + 1]
    assert kernel.shape[0] == kernel.shape[1] == 2 * middle + 1
    assert kernel.min() >= 0
    assert abs(kernel.sum() - 1) < 1e-5
    assert abs((kernel * x).sum()) < 1e-3
    assert abs((kernel * y).sum()) < 1e-3


@given(draw=st.integers(0, 2**32), seed=st.integers(0, 2**64 - 1))
@settings(max_examples=30, deadline=None)
def test_paths_have_extent_one(draw: int, seed: int):
    points = path(MOTION_BLUR.draw(np.random.default_rng(draw)), seed)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(0.5)


def test_the_blur_is_a_convolution_in_linear_light(photo: Photo):
    parameters = {**MOTION_BLUR.draw(np.random.default_rng(1)), "shoulder": 0.0}
    blurred = MOTION_BLUR.apply(photo, parameters, 0.5, 7)
    kernel = trace(path(parameters, 7) * parameters["extent"] * 128 * 0.5)
    # filter2D correlates: the flipped kernel makes it a convolution.
    linear = cv2.filter2D(photo**2.2, -1, cv2.flip(kernel, -1), borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(blurred**2.2, linear, atol=2e-5)


def test_a_blurred_point_stays_where_it_was():
    point = np.zeros((129, 129, 3), np.float32)
    point[60, 70] = 1
    for seed in range(8):
        parameters = {**MOTION_BLUR.draw(np.random.default_rng(seed)), "shoulder": 0.0}
        light = MOTION_BLUR.apply(point, parameters, 0.8, seed)[..., 0].astype(np.float64) ** 2.2
        y, x = np.mgrid[:129, :129]
        assert abs((light * y).sum() / light.sum() - 60) < 0.05
        assert abs((light * x).sum() / light.sum() - 70) < 0.05


def test_highlights_leave_trails():
    dark = np.full((129, 129, 3), 0.2, np.float32)
    dark[64, 64] = 1
    parameters = {
        "extent": 0.15,
        "angle": 0.0,
        "bend": 0.0,
        "tremor": 0.0,
        "unevenness": 0.0,
    }
    plain = MOTION_BLUR.apply(dark, {**parameters, "shoulder": 0.0}, 1.0, 0)
    trails = MOTION_BLUR.apply(dark, {**parameters, "shoulder": 0.8}, 1.0, 0)
    assert trails[64, 60, 0] > plain[64, 60, 0] + 0.05
