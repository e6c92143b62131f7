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
    """1.9, give or take three times 0.4 (van der Schaaf and van Hateren, Vision Research 1996)."""
    rng = np.random.default_rng(1)
    slopes = [slope(element((128, 128), rng)) for _ in range(60)]
    assert 1.3 < np.median(slopes) < 3.0
    low, high = np.percentile(slopes, [10, 90])
    assert low > 0.7
    assert high < 3.1


def test_the_slope_of_white_noise_is_none():
    rng = np.random.default_rng(1)
    assert abs(slope(rng.integers(256, size=(128, 128, 3)))) < 0.3


def test_leaves_leave_little_bare_and_are_of_all_sizes():
    """Each octave of the length of runs of one colour, along rows, holds a fair part of the area.

    Leaves of one size, few leaves or none beside large ones would not.
    """
    rng = np.random.default_rng(2)
    lengths, largest = [], []
    for _ in range(20):
        leaves = dead_leaves((140, 140), rng).astype(int)
        changes = np.flatnonzero((np.diff(leaves[::7], axis=1) != 0).any(axis=2).ravel())
        lengths += np.diff(changes).tolist()
        _, counts = np.unique(leaves @ [1, 256, 65536], return_counts=True)
        largest.append(counts.max() / counts.sum())
    runs = np.array(lengths)
    beyond = [runs[runs > length].sum() / runs.sum() for length in (4, 8, 16, 32)]
    assert 0.25 < beyond[1] < 0.5
    assert (-np.diff(beyond) > 0.08).all()
    assert beyond[-1] > 0.03
    assert np.median(largest) < 0.15
