from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from gends.models.parametric.operation import Parameters
from gends.models.parametric.scene.rain import RAIN
from gends.models.pixels import Photo, Plane


def _parameters(**changes: Any) -> Parameters:
    common = {
        "kind": "streaks",
        "angle": 20.0,
        "turbulence": 0.0,
        "length": 0.08,
        "width": 0.008,
        "density": 0.15,
        "blur": 0.0,
        "composite": "screen",
        "opacity": 0.9,
        "light": 0.9,
        "ambient": 0.0,
        "gusts": 0.0,
        "splashes": 0.0,
        "veil": 0.0,
        "veil_light": 0.8,
    }
    return {**common, **changes}


def _on_black(shape: tuple[int, int] = (384, 384), strength: float = 0.6, **changes: Any) -> Plane:
    black = np.zeros((*shape, 3), np.float32)
    return RAIN.apply(black, _parameters(**changes), strength, 3)[..., 0]


def _streaks(wet: Plane) -> np.ndarray:
    """Height, width and area of each connected streak."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((wet > 0.05).astype(np.uint8))
    return stats[1:, [cv2.CC_STAT_HEIGHT, cv2.CC_STAT_WIDTH, cv2.CC_STAT_AREA]]


@pytest.mark.parametrize("angle", [-40.0, -10.0, 0.0, 25.0])
def test_rain_falls_at_its_angle(angle: float, photo: Photo):
    """The structure tensor of what rain adds to a photograph tells the direction."""
    large = cv2.resize(photo, (384, 384))
    added = (RAIN.apply(large, _parameters(angle=angle, turbulence=2.0), 1.0, 5) - large).mean(2)
    dx, dy = (cv2.Sobel(added, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    across = np.arctan2(2 * (dx * dy).sum(), (dx * dx - dy * dy).sum()) / 2
    assert np.rad2deg(across) == pytest.approx(angle, abs=2.5)


def test_streaks_are_as_long_and_wide_as_asked():
    median = {}
    for length in (0.06, 0.12):
        streaks = _streaks(_on_black(length=length, angle=0.0, density=0.05))
        median[length] = np.median(streaks[:, 0])
    assert median[0.12] / median[0.06] == pytest.approx(2, rel=0.2)
    assert median[0.06] / 384 == pytest.approx(0.06 * 0.9 / 1.25, rel=0.3)


def test_the_number_of_streaks_grows_with_the_area():
    one, three = (len(_streaks(_on_black((384, width), 0.4))) for width in (384, 1152))
    assert three / one == pytest.approx(3, rel=0.2)


def test_streaks_differ_in_brightness_and_size():
    wet = _on_black(kind="layered", density=0.2, strength=1.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((wet > 0.02).astype(np.uint8))
    peaks = [wet[labels == n].max() for n in range(1, count)]
    assert np.percentile(peaks, 95) > 3 * np.percentile(peaks, 10)
    assert np.percentile(stats[1:, 4], 95) > 8 * np.percentile(stats[1:, 4], 10)


def test_blurred_streaks_are_softer_and_fainter():
    sharp, soft = (_on_black(kind="layered", blur=blur) for blur in (0.0, 3.0))
    assert cv2.Laplacian(soft, -1).std() < 0.5 * cv2.Laplacian(sharp, -1).std()
    assert soft.max() < sharp.max()


@pytest.mark.parametrize("composite", ["add", "screen", "alpha"])
def test_rain_only_adds_light(composite: str, photo: Photo):
    wet = RAIN.apply(photo, _parameters(composite=composite, splashes=1.0), 1.0, 3)
    assert (wet - photo).min() > -1e-6


def test_streaks_are_translucent(photo: Photo):
    """What a streak covers still shows: the photograph is found in what is behind the rain."""
    dense = _parameters(density=3.0, opacity=0.6, composite="alpha")
    wet = RAIN.apply(photo, dense, 1.0, 3)
    assert np.corrcoef(photo.ravel(), wet.ravel())[0, 1] > 0.5


def test_splashes_lie_on_the_ground():
    wet = _on_black(density=0.0, splashes=1.0, strength=1.0)
    assert wet[: 384 // 3].max() < 0.01
    near, far = (len(_streaks(part)) for part in (wet[288:], wet[160:224]))
    assert near > far
    assert 0.005 < (wet > 0.1).mean() < 0.1


def test_the_mist_is_haze_behind_the_streaks(photo: Photo):
    """At equal depths mist is a line, J·t + A·(1 − t): its slope and intercept tell A and t."""
    flat = np.full(photo.shape[:2], 0.5, np.float32)
    out = RAIN.apply(photo, _parameters(density=0.0, veil=0.6), 0.8, 1, flat)
    slope, intercept = np.polyfit(photo.ravel(), out.ravel(), 1)
    assert intercept / (1 - slope) == pytest.approx(0.8, abs=1e-3)
    assert -np.log(slope) == pytest.approx(3 * 0.6 * 0.8**3 * (0.35 + 0.65 * 0.5), rel=1e-3)


def test_mist_is_thicker_where_it_is_farther():
    black = np.zeros((128, 128, 3), np.float32)
    veiled = RAIN.apply(black, _parameters(density=0.0, veil=0.8), 1.0, 3)
    assert veiled[:30].mean() > veiled[-30:].mean()
