from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.parametric.operation import Parameters
from gends.models.parametric.particles import scatter, streak
from gends.models.parametric.scene.rain import RAIN
from gends.models.pixels import Photo


def _parameters(**changes: object) -> Parameters:
    layer = {"angle": 20.0, "length": 0.15, "width": 0.008, "count": 60}
    common = {
        "layers": [layer],
        "composite": "screen",
        "light": 0.9,
        "opacity": 0.9,
        "gusts": 0.0,
        "veil": 0.0,
        "veil_light": 0.8,
    }
    return {**common, **changes}


@pytest.mark.parametrize("angle", [-30.0, 0.0, 20.0])
def test_streaks_lie_along_their_angle(angle: float):
    y, x = np.nonzero(streak(40, 2, angle) > 0.3)
    direction = np.linalg.svd(np.stack([x - x.mean(), y - y.mean()], axis=1))[2][0]
    measured = np.rad2deg(np.arctan2(-direction[0], direction[1]))
    assert (measured - angle + 90) % 180 - 90 == pytest.approx(0, abs=1.5)


def test_streaks_have_a_finite_length(photo: Photo):
    black = np.zeros((256, 256, 3), np.float32)
    wet = RAIN.apply(black, _parameters(), 0.6, 3)[..., 0]
    count, _, stats, _ = cv2.connectedComponentsWithStats((wet > 0.1).astype(np.uint8))
    heights = stats[1:, cv2.CC_STAT_HEIGHT]
    assert count > 10
    assert np.median(heights) < 0.2 * 256
    assert np.median(heights) > 3 * np.median(stats[1:, cv2.CC_STAT_AREA] / heights)


def test_streaks_differ_in_brightness():
    field = scatter((256, 256), streak(20, 1.5, 0.0), 40, np.random.default_rng(0))
    peaks = field[(field == cv2.dilate(field, np.ones((31, 31)))) & (field > 0.1)]
    assert np.ptp(peaks) > 0.4


def test_screened_rain_only_adds_light(photo: Photo):
    wet = RAIN.apply(photo, _parameters(), 1.0, 3)
    assert (wet - photo).min() > -1e-6


def test_the_veil_is_haze_behind_the_streaks(photo: Photo):
    black = np.zeros_like(photo)
    dry = _parameters(layers=[{"angle": 0.0, "length": 0.1, "width": 0.01, "count": 0}], veil=0.8)
    veiled = RAIN.apply(black, dry, 1.0, 3)
    assert veiled.min() > 0.2
    assert veiled[:30].mean() > veiled[-30:].mean()
