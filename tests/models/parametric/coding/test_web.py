"""Each part of the chain, alone, found in the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.registration import phase_cross_correlation

from gends.models.parametric.coding.web import WEB
from gends.models.pixels import Photo, to_float, to_uint8

PHOTO = to_float(skimage.data.astronaut())

NOTHING: dict[str, Any] = {
    "resize": 1.0,
    "kernel": "area",
    "up_kernel": "bicubic",
    "blur": 0.0,
    "noise": 0.0,
    "quality": 100,
    "second_quality": 100,
    "shift": [0, 0],
    "webp_quality": 100,
    "sharpening": 0.0,
    "sharpening_sigma": 1.0,
}


def _web(image: Photo = PHOTO, strength: float = 1.0, **parts: Any) -> Photo:
    return WEB.apply(image, {**NOTHING, **parts}, strength, 5)


def test_the_pair_stays_aligned():
    for seed in range(12):
        out = WEB.apply(PHOTO, WEB.draw(np.random.default_rng(seed)), 1.0, seed)
        shift, *_ = phase_cross_correlation(PHOTO[..., 1], out[..., 1], upsample_factor=50)
        assert np.abs(shift).max() < 0.1


@pytest.mark.parametrize("sigma", [2.0, 6.0, 10.0])
def test_noise_has_the_deviation_that_was_asked_for(sigma: float):
    # A gray: the luma's noise passes JPEG of quality 100 nearly whole.
    out = _web(np.full((256, 256, 3), 0.5, np.float32), noise=sigma)
    luma = out @ np.array([0.299, 0.587, 0.114]) * 255
    # Rounding to 8 bits on the way adds noise of its own.
    expected = np.hypot(sigma * np.linalg.norm([0.299, 0.587, 0.114]), 0.5)
    assert luma.std() == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("sigma", [0.6, 1.2])
def test_an_edge_is_as_soft_as_the_blur_that_was_asked_for(sigma: float):
    step = np.full((64, 64, 3), 0.2, np.float32)
    step[:, 32:] = 0.8
    spread = np.diff(_web(step, blur=sigma)[32, :, 1].astype(float))
    spread = np.clip(spread, 0, None) / np.clip(spread, 0, None).sum()
    centre = (spread * np.arange(63)).sum()
    assert centre == pytest.approx(31, abs=0.05)
    measured = np.sqrt((spread * (np.arange(63) - centre) ** 2).sum())
    # Rounding to whole pixels and levels cuts the tails and moves little else.
    assert measured == pytest.approx(sigma, rel=0.15)


def test_the_smaller_copy_holds_no_finer_detail():
    power = []
    for out in (_web(), _web(resize=0.5)):
        spectrum = np.abs(
            np.fft.fftshift(np.fft.fft2(out[..., 1] * np.outer(*[np.hanning(512)] * 2)))
        )
        radius = np.hypot(*(np.mgrid[:512, :512] - 256))
        power.append((spectrum[radius > 150] ** 2).sum())
    assert power[1] < 0.1 * power[0]


def test_sharpening_draws_a_halo_on_both_sides_of_an_edge():
    step = np.full((64, 64, 3), 0.3, np.float32)
    step[:, 32:] = 0.7
    step = np.asarray(cv2.GaussianBlur(step, (0, 0), 1.0))
    out = _web(step, sharpening=1.5)[32, :, 1]
    assert out.max() > 0.72
    assert out.min() < 0.28


def test_each_encoder_leaves_its_loss():
    near = np.abs(_web() - PHOTO).mean()
    for part in ("quality", "second_quality", "webp_quality"):
        lossy = [np.abs(_web(**{part: q}) - PHOTO).mean() for q in (90, 60, 30)]
        assert near < lossy[0] < lossy[1] < lossy[2]


def test_strength_leads_from_nothing_to_what_was_drawn():
    parameters = WEB.draw(np.random.default_rng(3))
    assert (WEB.apply(PHOTO, parameters, 0.0, 1) == PHOTO).all()
    faint = to_uint8(_web(strength=0.5, quality=20)).astype(int)
    assert (faint == to_uint8(_web(quality=60))).all()
