from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.registration import phase_cross_correlation

from gends.models.parametric.filters.trajectory import path, trace
from gends.models.parametric.lens.motion_blur import LENGTH, MOTION_BLUR, PARAMETERS
from gends.models.parametric.operation import Parameters
from gends.models.pixels import Photo

KINDS = PARAMETERS["kind"].choices
STRAIGHT = {"kind": "uniform", "bend": 0.0, "tremor": 0.0, "unevenness": 0.0, "shoulder": 0.0}


def _drawn(seed: int, **given: object) -> Parameters:
    return {**MOTION_BLUR.draw(np.random.default_rng(seed)), **given}


def _path(parameters: Parameters, seed: int) -> np.ndarray:
    return path(parameters, np.random.default_rng(seed))


@given(draw=st.integers(0, 2**32), seed=st.integers(0, 2**64 - 1), length=st.floats(0, 120))
@settings(max_examples=60, deadline=None)
def test_kernels_are_centred_and_keep_the_light(draw: int, seed: int, length: float):
    kernel = trace(_path(_drawn(draw), seed) * length)
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
    points = _path(_drawn(draw), seed)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(0.5)


def test_the_blur_is_a_convolution_in_linear_light(photo: Photo):
    parameters = _drawn(1, kind="uniform", shoulder=0.0)
    blurred = MOTION_BLUR.apply(photo, parameters, 0.5, 7)
    kernel = trace(_path(parameters, 7) * LENGTH.value(0.5) * 128)
    # filter2D correlates: the flipped kernel makes it a convolution.
    linear = cv2.filter2D(photo**2.2, -1, cv2.flip(kernel, -1), borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(blurred**2.2, linear, atol=2e-5)


@pytest.mark.parametrize(("angle", "pixels"), [(0.0, 24), (35.0, 20), (90.0, 16), (120.0, 28)])
def test_the_cepstrum_shows_angle_and_length_of_a_line(angle: float, pixels: int):
    # White noise, so that nothing but the blur shapes the spectrum.
    noise = np.random.default_rng(0).random((512, 512), dtype=np.float32)
    parameters = _drawn(0, **STRAIGHT, angle=angle)
    blurred = MOTION_BLUR.apply(
        np.repeat(noise[..., np.newaxis], 3, axis=2), parameters, LENGTH.strength(pixels / 512), 0
    )
    light = blurred[..., 0].astype(np.float64) ** 2.2
    window = np.outer(np.hanning(512), np.hanning(512))
    power = np.abs(np.fft.fft2((light - light.mean()) * window))
    cepstrum = np.fft.ifft2(np.log(cv2.GaussianBlur(power, (0, 0), 1.0) + 1e-9)).real
    near = np.fft.fftshift(cepstrum)[256 - 40 : 256 + 41, 256 - 40 : 256 + 41].copy()
    row, column = np.mgrid[-40:41, -40:41]
    near[np.hypot(row, column) < 6] = 0
    down, across = np.unravel_index(near.argmin(), near.shape)
    found = complex(across - 40, down - 40)
    assert abs(found) == pytest.approx(pixels, abs=1.5)
    off = (np.degrees(np.angle(found)) - angle + 90) % 180 - 90
    assert abs(off) < 4


def test_a_blurred_point_stays_where_it_was():
    point = np.zeros((129, 129, 3), np.float32)
    point[60, 70] = 1
    for seed in range(8):
        parameters = _drawn(seed, kind="uniform", shoulder=0.0)
        light = MOTION_BLUR.apply(point, parameters, 0.8, seed)[..., 0].astype(np.float64) ** 2.2
        y, x = np.mgrid[:129, :129]
        assert abs((light * y).sum() / light.sum() - 60) < 0.05
        assert abs((light * x).sum() / light.sum() - 70) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_pair_stays_aligned(kind: str, photos: list[np.ndarray]):
    for seed in range(4):
        image = cv2.resize(photos[seed % 3], (256, 256)).astype(np.float32) / np.float32(255)
        parameters = _drawn(seed, kind=kind, shoulder=0.0, centre=[0.5, 0.5])
        blurred = MOTION_BLUR.apply(image, parameters, 0.2, seed)
        # Noise under both would draw the peak to 0: only what is smooth is compared.
        smooth = [
            cv2.GaussianBlur(i**2.2, (0, 0), 8)[..., 1] * np.outer(np.hanning(256), np.hanning(256))
            for i in (image, blurred)
        ]
        shift, _, _ = phase_cross_correlation(*smooth, upsample_factor=50, normalization=None)
        assert np.abs(shift).max() <= 0.1


@pytest.mark.parametrize(("kind", "along"), [("roll", False), ("zoom", True)])
def test_a_turning_camera_draws_arcs_or_rays(kind: str, along: bool):
    point = np.zeros((257, 257, 3), np.float32)
    point[128, 216] = 1
    parameters = _drawn(0, **{**STRAIGHT, "kind": kind}, centre=[0.5, 0.5])
    light = MOTION_BLUR.apply(point, parameters, 0.6, 0)[..., 0].astype(np.float64) ** 2.2
    y, x = np.mgrid[:257, :257]
    share = light / light.sum()
    spread_x = np.sqrt((share * (x - (share * x).sum()) ** 2).sum())
    spread_y = np.sqrt((share * (y - (share * y).sum()) ** 2).sum())
    # A line of length L has the standard deviation L/√12; L is that at the corner, scaled.
    length = LENGTH.value(0.6) * 257 * 88 / np.hypot(128.5, 128.5)
    wide, thin = (spread_x, spread_y) if along else (spread_y, spread_x)
    assert wide == pytest.approx(length / np.sqrt(12), rel=0.1)
    assert thin < 0.25 * wide


@pytest.mark.parametrize("kind", ["roll", "zoom"])
def test_a_turning_camera_keeps_ramps_in_their_place(kind: str):
    light = np.tile(np.linspace(0.1, 0.9, 257), (257, 1))
    image = np.repeat((light ** (1 / 2.2)).astype(np.float32)[..., np.newaxis], 3, axis=2)
    for seed in range(4):
        parameters = _drawn(seed, kind=kind, shoulder=0.0, centre=[0.5, 0.5])
        blurred = MOTION_BLUR.apply(image, parameters, 0.5, seed)[..., 1] ** 2.2
        shift = (blurred - light)[64:-64, 64:-64] / (0.8 / 256)
        assert np.abs(shift).max() < 0.1


def test_the_centre_of_a_roll_stays_sharp(photo: Photo):
    parameters = _drawn(3, kind="roll", centre=[0.5, 0.5])
    change = np.abs(MOTION_BLUR.apply(photo, parameters, 0.5, 0) - photo).mean(axis=2)
    assert change[60:68, 60:68].mean() < 0.2 * change.mean()


def test_the_background_of_a_moving_object_rests(photo: Photo):
    image = cv2.resize(photo, (256, 256))
    for seed in range(4):
        parameters = _drawn(seed, kind="object", size=0.3)
        change = np.abs(MOTION_BLUR.apply(image, parameters, 0.3, seed) - image).max(axis=2)
        assert 0.3 < (change < 0.5 / 255).mean() < 0.97


def test_regions_move_in_different_ways():
    dots = np.zeros((384, 384, 3), np.float32)
    dots[32::64, 32::64] = 1
    out = MOTION_BLUR.apply(dots, _drawn(0, **{**STRAIGHT, "kind": "regions"}, regions=3), 0.5, 2)
    traces = [
        out[y - 32 : y + 32, x - 32 : x + 32, 0]
        for y in range(32, 384, 64)
        for x in range(32, 384, 64)
    ]
    same = [np.corrcoef(traces[0].ravel(), t.ravel())[0, 1] for t in traces]
    assert min(same) < 0.6


def test_highlights_leave_trails():
    dark = np.full((129, 129, 3), 0.2, np.float32)
    dark[64, 64] = 1
    plain = MOTION_BLUR.apply(dark, _drawn(0, **STRAIGHT, angle=0.0), 0.8, 0)
    bright = {**STRAIGHT, "shoulder": 0.8}
    trails = MOTION_BLUR.apply(dark, _drawn(0, **bright, angle=0.0), 0.8, 0)
    assert trails[64, 60, 0] > plain[64, 60, 0] + 0.05
