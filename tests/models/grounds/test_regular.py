"""Waves and edges of known frequency."""

from __future__ import annotations

import numpy as np
import pytest

from gends.models.grounds.regular import ELEMENTS, siemens_star


@pytest.mark.parametrize("element", ELEMENTS)
def test_waves_are_half_light_half_dark_and_hold_contrast(element):
    rng = np.random.default_rng(0)
    for _ in range(40):
        size = int(rng.integers(66, 147)), int(rng.integers(66, 147))
        wave = element(size, rng)
        assert wave.shape == size
        assert wave.dtype == np.float32
        assert abs(float(wave.mean())) < 0.25
        assert 0.3 < float(wave.std()) <= 1
        assert np.abs(wave).max() <= 1


def test_a_star_has_at_least_36_cycles_around():
    """The strongest frequency along its outermost whole circle."""
    rng = np.random.default_rng(0)
    angle = np.arange(2048) / 2048 * 2 * np.pi
    for _ in range(20):
        star = siemens_star((141, 141), rng)
        y, x = (np.rint(70 + 69 * f(angle)).astype(int) for f in (np.sin, np.cos))
        cycles = int(np.abs(np.fft.rfft(star[y, x]))[1:].argmax()) + 1
        assert 36 <= cycles <= 144
