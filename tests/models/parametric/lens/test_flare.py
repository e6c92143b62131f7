from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.lens.flare import FLARE, light
from gends.models.pixels import Photo

DARK = np.zeros((257, 257, 3), np.float32)
NONE = {
    **FLARE.draw(np.random.default_rng(0)),
    "position": [0.5, 0.5],
    "colour": [1.0, 1.0, 1.0],
    "glow": 0.0,
    "streaks": 0,
    "halo": 0.0,
    "ghosts": 0,
    "veil": 0.0,
    "bloom": 0.0,
}


def _angles(plane: np.ndarray, number: int) -> np.ndarray:
    """Directions in [0, 180) of straight rays, from the Fourier transform: each is a line of large
    values at a right angle to it.
    """
    power = np.abs(np.fft.fftshift(np.fft.fft2(plane)))
    middle = plane.shape[0] // 2
    radius = np.arange(20, 90)
    angle = np.deg2rad(np.arange(0, 180, 0.5))
    rows = np.rint(middle + np.outer(np.sin(angle), radius)).astype(int)
    columns = np.rint(middle + np.outer(np.cos(angle), radius)).astype(int)
    profile = np.log(power[rows, columns]).mean(axis=1)
    found: list[float] = []
    for index in np.argsort(profile)[::-1]:
        # Rows count downwards: the ray at a right angle points at 90° − angle.
        direction = (90 - index / 2) % 180
        if all(abs((direction - f + 90) % 180 - 90) > 12 for f in found):
            found.append(direction)
        if len(found) == number:
            break
    return np.sort(found)


@pytest.mark.parametrize(("streaks", "angle"), [(2, 25.0), (4, 10.0), (6, 40.0), (3, 70.0)])
def test_directions_of_the_rays_come_back_from_the_fourier_transform(streaks: int, angle: float):
    parameters = {**NONE, "streaks": streaks, "streak_angle": angle, "streak_length": 0.9}
    flare = light(DARK, parameters, np.random.default_rng(0))[..., 1]
    asked = np.unique(np.round((angle + 360 / streaks * np.arange(streaks)) % 180, 6))
    found = _angles(flare, len(asked))
    assert np.abs((found - asked + 90) % 180 - 90).max() <= 1.5


def test_flare_only_adds_light(photo: Photo):
    for seed in range(10):
        parameters = FLARE.draw(np.random.default_rng(seed))
        for strength in (0.2, 1.0):
            assert (FLARE.apply(photo, parameters, strength, seed) - photo).min() > -1e-5


def test_the_halo_is_a_ring_of_the_asked_radius():
    ring = light(DARK, {**NONE, "halo": 0.3, "halo_radius": 0.3}, np.random.default_rng(0))
    profile = ring[128, 128:]
    radii = profile.argmax(axis=0) / 257
    assert radii[0] == pytest.approx(0.3, abs=0.005)
    # As a halo of ice: red inside, blue outside.
    assert radii[0] < radii[1] < radii[2]


def test_the_glow_falls_with_the_third_power():
    glow = light(DARK, {**NONE, "glow": 1.0, "glow_size": 0.02}, np.random.default_rng(0))[..., 0]
    distance = np.arange(30, 120)
    slope = np.polyfit(np.log(distance), np.log(glow[128, 128 + distance]), 1)[0]
    assert slope == pytest.approx(-3, abs=0.05)


def test_ghosts_lie_on_the_line_from_the_source_through_the_centre():
    parameters = {**NONE, "ghosts": 6, "ghost_light": 0.2, "position": [0.2, 0.3]}
    for seed in range(5):
        ghosts = light(DARK, parameters, np.random.default_rng(seed)).sum(axis=2)
        rows, columns = np.nonzero(ghosts > 0)
        weight = ghosts[rows, columns]
        x, y = columns - 128.0, rows - 128.0
        off = (x * 0.2 - y * 0.3) / np.hypot(0.2, 0.3)
        assert abs(np.average(off, weights=weight)) < 1.5


def test_the_veil_adds_the_asked_light_at_the_source():
    veil = light(DARK, {**NONE, "veil": 0.15}, np.random.default_rng(0))
    assert veil.max() == pytest.approx(0.15, rel=0.02)
    assert veil.min() > 0.05
