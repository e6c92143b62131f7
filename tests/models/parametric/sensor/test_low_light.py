from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.sensor.low_light import LOW_LIGHT
from gends.models.pixels import Photo

PARAMETERS = {
    "exposure": 0.3,
    "shoulder": 0.0,
    "level": 1.0,
    "gamma": 1.0,
    "cast": [1.0, 1.0, 1.0],
    "falloff": 0.0,
    "peak": 1e12,
    "read": 0.0,
    "chroma": 1.0,
    "grain": 0.0,
}


def test_without_noise_it_is_the_tone_curve(photo: Photo):
    dim = LOW_LIGHT.apply(photo, {**PARAMETERS, "level": 0.95, "gamma": 2.0}, 1.0, 0)
    np.testing.assert_allclose(dim, 0.3 * (0.95 * photo) ** 2, atol=1e-4)


def test_noise_comes_from_the_seed_alone(photo: Photo):
    noisy = {**PARAMETERS, "peak": 100.0, "read": 0.002}
    first, again, other = (LOW_LIGHT.apply(photo, noisy, 1.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.005


def test_noise_has_the_variance_of_photons_in_linear_light():
    grey = np.full((256, 256, 3), 0.7, np.float32)
    dim = LOW_LIGHT.apply(grey, {**PARAMETERS, "peak": 2000.0, "read": 0.0}, 1.0, 3)
    linear = (0.3 * 0.7) ** 2.2
    deviation = (dim.astype(np.float64) ** 2.2).std()
    assert deviation == pytest.approx(np.sqrt(linear / 2000), rel=0.1)


def test_white_stays_bright_behind_a_shoulder(photo: Photo):
    white = np.ones_like(photo)
    hard = LOW_LIGHT.apply(white, PARAMETERS, 1.0, 0).mean()
    soft = LOW_LIGHT.apply(white, {**PARAMETERS, "shoulder": 0.9}, 1.0, 0).mean()
    assert soft > 1.5 * hard
