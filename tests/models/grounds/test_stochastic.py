"""Spectra of stochastic textures against those of photographs."""

from __future__ import annotations

import numpy as np
import pytest

from gends.models.degrader import Image
from gends.models.grounds.stochastic import ELEMENTS, dead_leaves


def slope(image: Image) -> float:
    """a of power ~ 1/f^a, of greys under a Hann window, over three octaves and a half."""
    grey = image.mean(axis=2)
    grey = (grey - grey.mean()) * np.outer(*(np.hanning(side) for side in grey.shape))
    power = np.square(np.abs(np.fft.fft2(grey)))
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, grey.shape), indexing="ij"))
    edges = np.geomspace(0.03, 0.4, 10)
    ring = np.digitize(frequency, edges)
    mean = [np.log(power[ring == number].mean()) for number in range(1, 10)]
    return float(-np.polyfit(np.log(edges[:-1]), mean, 1)[0])


@pytest.mark.parametrize("element", ELEMENTS)
def test_power_falls_with_frequency_as_that_of_photographs(element):
    """Natural pictures: 1.9 on average, 0.8 to 3.2 (van der Schaaf and van Hateren, 1996)."""
    rng = np.random.default_rng(1)
    slopes = [slope(element((128, 128), rng)) for _ in range(60)]
    assert 1.3 < np.median(slopes) < 3.0
    low, high = np.percentile(slopes, [10, 90])
    assert low > 0.7
    assert high < 3.3


def test_the_slope_of_white_noise_is_none():
    rng = np.random.default_rng(1)
    assert abs(slope(rng.integers(256, size=(128, 128, 3)))) < 0.3


def test_leaves_leave_nothing_bare_and_are_of_all_sizes():
    """Runs of one colour along a row: more short ones than long ones, and some of dozens."""
    rng = np.random.default_rng(2)
    runs = []
    for _ in range(20):
        row = dead_leaves((140, 140), rng)[::7]
        changes = np.flatnonzero((np.diff(row.astype(int), axis=1) != 0).any(axis=2).ravel())
        runs += np.diff(changes).tolist()
    assert np.percentile(runs, 50) < 5
    assert max(runs) > 30
