from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from gends.models.parametric.sensor.poisson_noise import POISSON_NOISE, SCALE
from gends.models.pixels import Photo

COLOUR = {"peak": 60.0, "channels": "colour"}


def _steps(side: int = 200) -> Photo:
    levels = np.repeat(np.linspace(0.05, 0.6, 8, dtype=np.float32), side)
    return np.repeat(np.tile(levels, (side, 1))[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize(("peak", "scale"), [(200.0, 1.0), (400.0, 0.5), (1000.0, 2.5)])
def test_the_variance_grows_with_intensity_by_scale_squared_over_peak(peak: float, scale: float):
    clean = _steps()
    noisy = POISSON_NOISE.apply(clean, {**COLOUR, "peak": peak}, SCALE.strength(scale), 2)
    steps = noisy.astype(np.float64).reshape(200, 8, 200, 3)
    intensity, variance = steps.mean(axis=(0, 2, 3)), steps.var(axis=(0, 2, 3))
    slope, offset = np.polyfit(intensity, variance, 1)
    assert slope == pytest.approx(scale**2 / peak, rel=0.03)
    assert abs(offset) < 0.02 * slope


def test_at_scale_one_whole_photons_are_counted_as_in_imagenet_c(photo: Photo):
    noisy = POISSON_NOISE.apply(photo, COLOUR, SCALE.strength(1.0), 3)
    photons = noisy.astype(np.float64) * 60
    np.testing.assert_allclose(photons, np.rint(photons), atol=1e-4)
    corruptions = pytest.importorskip("imagecorruptions.corruptions")
    np.random.seed(0)  # noqa: NPY002
    theirs = corruptions.shot_noise(photo * 255, severity=1) / 255 - photo
    ours = (noisy - photo).ravel().astype(np.float64).round(4)
    assert ks_2samp(ours, theirs.ravel().round(4)).pvalue > 0.01
    assert ks_2samp(1.05 * ours, theirs.ravel().round(4)).pvalue < 0.01


def test_gray_noise_is_the_same_in_all_channels(photo: Photo):
    half = 0.25 + 0.5 * photo
    noise = POISSON_NOISE.apply(half, {"peak": 1000.0, "channels": "gray"}, 1 / 3, 3) - half
    np.testing.assert_allclose(noise[..., 0], noise[..., 2], atol=1e-6)
    assert noise.std() > 0.01


def test_black_stays_black():
    black = np.zeros((64, 64, 3), np.float32)
    np.testing.assert_array_equal(POISSON_NOISE.apply(black, COLOUR, 1.0, 0), black)
