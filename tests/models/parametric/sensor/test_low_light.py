from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gends.models.parametric.sensor.camera import Camera
from gends.models.parametric.sensor.low_light import EV, LOW_LIGHT
from gends.models.pixels import Photo

TONE: dict[str, Any] = {
    "kind": "tone",
    "shoulder": 0.0,
    "factor": 1.0,
    "gamma": 1.0,
    "cast": [1.0, 1.0, 1.0],
    "falloff": 0.0,
    "shot": 1e-3,
    "row_sigma": 0.0,
    "bits": 14,
    "brightening": 0.0,
    "matrices": [0.2, 0.9, 0.1, 0.4],
    "gain": 1.25,
    "red_gain": 2.1,
    "blue_gain": 1.7,
    "demosaic": "bilinear",
    "luma_smoothing": 0.0,
    "chroma_smoothing": 0.0,
    "read_offset": 0.0,
}
SENSOR = {**TONE, "kind": "sensor"}


def _linear(image: Photo) -> np.ndarray:
    return np.asarray(image.astype(np.float64) ** 2.2)


@pytest.mark.parametrize("ev", [1.0, 3.0, 6.0])
def test_ev_is_the_ratio_in_linear_light(photo: Photo, ev: float):
    clean = 0.2 + 0.7 * photo
    dim = LOW_LIGHT.apply(clean, TONE, EV.strength(ev), 0)
    np.testing.assert_allclose(np.log2(_linear(clean) / _linear(dim)), ev, atol=0.01)


def test_as_tone_it_is_the_formula_of_llnet(photo: Photo):
    dim = LOW_LIGHT.apply(photo, {**TONE, "factor": 0.95, "gamma": 2.0}, 1.0, 0)
    np.testing.assert_allclose(dim, 2 ** (-8 / 2.2) * (0.95 * photo) ** 2, atol=1e-4)


def test_white_stays_bright_behind_a_shoulder(photo: Photo):
    white = np.ones_like(photo)
    hard = LOW_LIGHT.apply(white, TONE, 0.5, 0).mean()
    soft = LOW_LIGHT.apply(white, {**TONE, "shoulder": 0.9}, 0.5, 0).mean()
    assert soft > 1.5 * hard


def _green(level: float, parameters: dict[str, Any], ev: float) -> np.ndarray:
    """The raw's green pixels beside red ones, of a gray picture: linear filters keep them."""
    gray = np.full((300, 300, 3), level, np.float32)
    linear = _linear(LOW_LIGHT.apply(gray, parameters, EV.strength(ev), 3))
    camera = Camera.of(parameters)
    raw = linear @ camera.to_raw.T.astype(np.float64) / camera.gains
    return np.asarray(raw[0::2, 1::2, 1])


def test_the_raws_noise_grows_with_light_as_shot_and_read():
    green = [_green(level, SENSOR, 1.0) for level in (0.5, 0.6, 0.7, 0.8, 0.9)]
    slope, _ = np.polyfit([g.mean() for g in green], [g.var() for g in green], 1)
    assert slope == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("bits", [8, 10])
def test_the_raw_has_the_steps_of_its_bits(bits: int):
    gray = _green(0.9, {**SENSOR, "shot": 1e-4, "bits": bits}, 2.0)
    # Of noisy values, the least distance between two is one step.
    levels = np.unique(gray.round(5))
    step = np.diff(levels[np.diff(levels, prepend=-1) > 1e-4]).min()
    assert step == pytest.approx((1 + 1 / 16) / (2**bits - 1), rel=0.02)


def test_rows_are_offset_by_their_share_of_read_noise():
    read = np.exp(2.18 * np.log(1e-3) + 1.20)
    green = _green(0.6, {**SENSOR, "row_sigma": 3.0}, 3.0)
    rows = green.mean(axis=1).var() - green.var(axis=1).mean() / green.shape[1]
    assert np.sqrt(rows) == pytest.approx(3 * np.sqrt(read), rel=0.15)


def test_brightening_brings_back_its_share_of_the_stops(photo: Photo):
    clean = 0.3 + 0.4 * photo
    bright = LOW_LIGHT.apply(clean, {**SENSOR, "shot": 1e-6, "brightening": 0.5}, EV.strength(4), 0)
    missing = np.log2(_linear(clean).mean() / _linear(bright).mean())
    assert missing == pytest.approx(2.0, abs=0.1)


def test_noise_comes_from_the_seed_alone(photo: Photo):
    first, again, other = (LOW_LIGHT.apply(photo, SENSOR, 0.4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.005


def test_bright_parts_keep_more_of_their_light():
    halves = np.full((96, 160, 3), 0.25, np.float32)
    halves[:, :80] = 0.75
    missing = np.zeros((96, 160, 3))
    for seed in range(10):
        dim = LOW_LIGHT.apply(halves, {**TONE, "falloff": 1.0}, EV.strength(4), seed)
        missing += np.log2(_linear(halves) / _linear(dim)) / 10
    assert missing[:, :60].mean() < missing[:, 100:].mean() - 1
    assert missing.min() > -0.01
    assert missing.max() < 4.01
