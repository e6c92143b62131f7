from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.scene.sandstorm import SANDSTORM
from gends.models.pixels import Photo

PARAMETERS = {
    "airlight": [0.85, 0.68, 0.45],
    "attenuation_ratio": [1.0, 1.25, 1.6],
    "nearest": 0.2,
    "horizon": 0.4,
    "ground": 0.8,
    "cues": 0.4,
    "patchiness": 0.6,
    "grains": 0.0,
}


def test_endless_dust_has_the_colour_of_its_airlight(photo: Photo):
    seen = SANDSTORM.apply(photo, {**PARAMETERS, "nearest": 1.0}, 1.0, 3)
    median = np.median(seen, axis=(0, 1))
    np.testing.assert_allclose(median, PARAMETERS["airlight"], atol=0.03)


def test_regression_gives_back_the_ratios_of_attenuation(photo: Photo):
    """ln t by channel, from two scenes behind equal dust; patches cancel in the ratio."""
    bright, dark = (
        SANDSTORM.apply(np.full_like(photo, value), PARAMETERS, 0.3, 3, np.ones((128, 128), "f4"))
        for value in (0.8, 0.2)
    )
    depths = -np.log((bright - dark) / 0.6).reshape(-1, 3)
    slopes = [np.linalg.lstsq(depths[:, :1], depths[:, c], rcond=None)[0][0] for c in range(3)]
    np.testing.assert_allclose(slopes, [1.0, 1.25, 1.6], atol=1e-3)


def test_grains_are_one_to_few_pixels():
    """The mean of what grains change falls to nothing within three pixels: autocorrelation."""
    black = np.zeros((512, 512, 3), np.float32)
    still = {**PARAMETERS, "patchiness": 0.0}
    flat = np.zeros((512, 512), np.float32)
    plain, grainy = (
        SANDSTORM.apply(black, {**still, "grains": g}, 0.5, 3, flat)[..., 0] for g in (0.0, 0.5)
    )
    extra = grainy - plain
    assert extra.min() >= -1e-6
    extra -= extra.mean()
    shifted = [float((extra[:, k:] * extra[:, : 512 - k]).mean()) for k in (0, 1, 8)]
    assert shifted[1] > 0.3 * shifted[0]
    assert shifted[2] == pytest.approx(0, abs=0.1 * shifted[0])
