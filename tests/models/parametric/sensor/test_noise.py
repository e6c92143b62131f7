from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import ks_2samp
from skimage.util import random_noise

from gends.models.parametric.sensor.noise import NOISE, SIGMA
from gends.models.pixels import Photo

WHITE = {"channels": "colour", "correlation": 0.5, "grain": 0.0, "is_quantized": True}
FLOAT = {**WHITE, "is_quantized": False}


def _sigma_by_wavelet(image: Photo) -> float:
    """Donoho's estimate: the median of the finest diagonal Haar coefficients over 0.6745."""
    a, b, c, d = (image[y::2, x::2].astype(np.float64) for y in (0, 1) for x in (0, 1))
    return float(np.median(np.abs((a - b - c + d) / 2)) / 0.6745)


@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_a_wavelet_estimator_finds_the_sigma(sigma: int):
    flat = np.full((256, 256, 3), 0.5, np.float32)
    noisy = NOISE.apply(flat, FLOAT, SIGMA.strength(sigma), 3)
    assert _sigma_by_wavelet(noisy) * 255 == pytest.approx(sigma, rel=0.03)


def test_it_is_the_gaussian_noise_of_scikit_image(photo: Photo):
    sigma = 25 / 255
    ours = NOISE.apply(photo, FLOAT, 0.25, 1) - photo
    theirs = random_noise(photo, "gaussian", rng=2, var=sigma**2, clip=False) - photo
    assert ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.01
    assert ks_2samp(ours.ravel(), 1.05 * theirs.ravel()).pvalue < 0.01


@pytest.mark.parametrize(
    ("channels", "correlation", "expected"),
    [("colour", 0.8, 0.0), ("gray", 0.2, 1.0), ("correlated", 0.3, 0.3), ("correlated", 0.8, 0.8)],
)
def test_channels_are_as_correlated_as_asked(channels: str, correlation: float, expected: float):
    flat = np.full((256, 256, 3), 0.5, np.float32)
    parameters = {**FLOAT, "channels": channels, "correlation": correlation}
    noise = NOISE.apply(flat, parameters, 0.25, 4) - flat
    found = np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert noise.std() * 255 == pytest.approx(25, rel=0.02)


@pytest.mark.parametrize("grain", [0.6, 1.0, 2.0])
def test_grain_correlates_neighbours_and_keeps_sigma(grain: float):
    flat = np.full((400, 400, 3), 0.5, np.float32)
    noise = NOISE.apply(flat, {**FLOAT, "grain": grain}, 0.25, 4) - flat
    assert noise.std() * 255 == pytest.approx(25, rel=0.03)
    kernel = gaussian_filter1d(np.eye(1, 41, 20)[0], grain)
    for distance in (1, 2):
        found = np.corrcoef(noise[:, :-distance].ravel(), noise[:, distance:].ravel())[0, 1]
        expected = np.correlate(kernel, np.roll(kernel, distance))[0] / np.sum(kernel**2)
        assert found == pytest.approx(expected, abs=0.03)
    edge = np.concatenate([noise[0], noise[-1], noise[:, 0], noise[:, -1]])
    assert edge.std() == pytest.approx(noise.std(), rel=0.08)


def test_float_noise_leaves_the_range_and_quantised_noise_does_not(photo: Photo):
    float_noise = NOISE.apply(photo, FLOAT, 0.5, 1)
    quantised = NOISE.apply(photo, WHITE, 0.5, 1)
    assert float_noise.min() < -0.05
    assert float_noise.max() > 1.05
    levels = quantised * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    np.testing.assert_array_equal(
        np.rint(levels), np.rint(np.clip(float_noise, 0, 1) * np.float32(255))
    )
