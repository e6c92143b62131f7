from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from gends.models.parametric.operation import Parameters
from gends.models.parametric.scene.snow import SNOW
from gends.models.pixels import Photo, Plane


def _parameters(**changes: Any) -> Parameters:
    common = {
        "kind": "snowfall",
        "angle": 0.0,
        "turbulence": 0.0,
        "size": 0.006,
        "spread": 0.4,
        "density": 0.1,
        "motion": 0.2,
        "blur": 0.5,
        "clumps": 0.5,
        "opacity": 1.0,
        "light": 0.95,
        "ambient": 0.0,
        "gusts": 0.0,
        "veil": 0.0,
    }
    return {**common, **changes}


def _on_black(shape: tuple[int, int] = (384, 384), strength: float = 1.0, **changes: Any) -> Plane:
    black = np.zeros((*shape, 3), np.float32)
    return SNOW.apply(black, _parameters(**changes), strength, 3)[..., 0]


def _areas(snowy: Plane) -> np.ndarray:
    _, _, stats, _ = cv2.connectedComponentsWithStats((snowy > 0.1).astype(np.uint8))
    return stats[1:, cv2.CC_STAT_AREA]


def test_flakes_come_in_several_sizes_and_small_ones_prevail():
    areas = _areas(_on_black(strength=0.6))
    small, large = np.percentile(areas, (10, 99))
    assert large > 10 * small
    classes, _ = np.histogram(areas, bins=[9, 36, 144, 576])
    assert classes[0] > classes[1] > classes[2] > 0


def test_the_number_of_flakes_grows_with_the_area():
    one, three = (len(_areas(_on_black((384, width), 0.5))) for width in (384, 1152))
    assert three / one == pytest.approx(3, rel=0.15)


def test_flakes_fall_independently_of_one_another():
    """Poisson: if twice as many fall, what stays dry is the square of what stayed dry."""
    once, twice = ((_on_black(density=density) < 0.02).mean() for density in (0.1, 0.2))
    assert 0.1 < once < 0.9
    assert twice == pytest.approx(once**2, rel=0.1)


@pytest.mark.parametrize("angle", [-70.0, -40.0, 0.0, 25.0])
def test_moving_flakes_are_drawn_out_along_the_wind(angle: float):
    snowy = _on_black(angle=angle, motion=4.0, strength=0.6)
    dx, dy = (cv2.Sobel(snowy, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    across = np.arctan2(2 * (dx * dy).sum(), (dx * dx - dy * dy).sum()) / 2
    assert (np.rad2deg(across) - angle + 90) % 180 - 90 == pytest.approx(0, abs=3)


def test_near_flakes_out_of_focus_are_softer_and_fainter():
    steepest = [cv2.Laplacian(_on_black(kind="flurry", blur=blur), -1).std() for blur in (0, 1, 3)]
    assert steepest[0] > 1.5 * steepest[1] > 1.5 * steepest[2]


def test_snow_is_not_white_noise():
    """Neighbouring pixels of independent noise are uncorrelated; a flake spans several."""
    snowy = _on_black()
    assert np.corrcoef(snowy[:, :-1].ravel(), snowy[:, 1:].ravel())[0, 1] > 0.5


def test_flakes_have_the_colour_of_snow(photo: Photo):
    snowy = SNOW.apply(np.zeros_like(photo), _parameters(), 1.0, 1)
    assert 0.8 < snowy.max() <= 0.95 + 1e-6
    assert np.ptp(snowy, axis=2).max() < 1e-6


def test_flakes_are_darker_in_the_dark(photo: Photo):
    bright, dim = (_on_black(ambient=ambient).max() for ambient in (0.0, 1.0))
    assert dim < 0.5 * bright


def test_the_veil_is_haze_of_the_colour_of_snow(photo: Photo):
    """At equal depths a veil is a line, J·t + A·(1 − t): its slope and intercept tell A and t."""
    flat = np.full(photo.shape[:2], 0.5, np.float32)
    out = SNOW.apply(photo, _parameters(density=0.0, veil=0.6), 0.8, 1, flat)
    slope, intercept = np.polyfit(photo.ravel(), out.ravel(), 1)
    assert intercept / (1 - slope) == pytest.approx(0.95, abs=1e-3)
    assert -np.log(slope) == pytest.approx(3 * 0.6 * 0.8**3 * (0.35 + 0.65 * 0.5), rel=1e-3)
