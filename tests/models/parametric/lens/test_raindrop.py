from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.parametric.lens.raindrop import RAINDROP, refracted
from gends.models.parametric.lens.water import Water, lay
from gends.models.pixels import Photo

SIDE = 401
PLAIN = {
    **RAINDROP.draw(np.random.default_rng(0)),
    "transmission": 1.0,
    "rim_light": 0.0,
    "skylight": 0.0,
    "glint": 0.0,
    "focal_length": 1.0,
}


def _one_drop(radius: float) -> Water:
    """A round drop in the middle of a square image."""
    offset = (np.arange(SIDE, dtype=np.float32) - SIDE // 2) / np.float32(radius)
    across, down = np.meshgrid(offset, offset)
    inside = np.hypot(across, down) < 1
    return Water(
        cover=inside.astype(np.float32),
        across=across,
        down=down,
        radius=np.full(across.shape, radius, np.float32),
        rank=np.zeros(across.shape, np.float32),
    )


@pytest.mark.parametrize(("radius", "angle"), [(40.0, 40.0), (60.0, 60.0), (60.0, 80.0)])
def test_a_drop_magnifies_as_a_thin_lens_of_water_does(radius: float, angle: float):
    # A ball of radius R = r/sin θ bends a ray at height h by (n − 1)·h/R: the line of sight moves
    # by f·(n − 1)·sin θ·h/r, so that one pixel spans 1 − f·(n − 1)·sin θ/r of the scene.
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)
    scene = np.stack(
        [np.tile(ramp, (SIDE, 1)), np.tile(ramp[:, np.newaxis], (1, SIDE)), np.ones((SIDE, SIDE))],
        axis=2,
    ).astype(np.float32)
    seen = refracted(scene, _one_drop(radius), {**PLAIN, "contact_angle": angle})
    seen = seen[..., :2] / np.maximum(seen[..., 2:], 1e-6)
    near = np.arange(-int(0.12 * radius), int(0.12 * radius) + 1)
    expected = 1 - SIDE * 0.33 * np.sin(np.deg2rad(angle)) / radius
    for axis in (0, 1):
        line = seen[SIDE // 2, SIDE // 2 + near, 0] if axis == 0 else seen[200 + near, 200, 1]
        slope = np.polyfit(near, line * (SIDE - 1), 1)[0]
        assert slope < 0
        assert slope == pytest.approx(expected, rel=0.05)


def test_the_rim_is_dark_where_light_is_totally_reflected():
    seen = refracted(
        np.ones((SIDE, SIDE, 3), np.float32), _one_drop(150), {**PLAIN, "contact_angle": 80.0}
    )[SIDE // 2, :, 0]
    critical = 150 / (1.33 * np.sin(np.deg2rad(80)))
    dark = np.flatnonzero(seen[SIDE // 2 : SIDE // 2 + 150] < 0.01)
    assert dark.min() == pytest.approx(critical, abs=2)
    # Four per cent of light along the normal does not pass: ((n − 1)/(n + 1))² = 2.0 %.
    assert seen[SIDE // 2] == pytest.approx(1 - (0.33 / 2.33) ** 2, abs=1e-4)


def test_dry_glass_is_clear():
    scene = np.random.default_rng(0).random((200, 200, 3), dtype=np.float32)
    parameters = {**PLAIN, "coverage": 0.2, "largest": 0.06, "defocus": 0.01}
    water = lay((200, 200), parameters, np.random.default_rng(0))
    wet = RAINDROP.apply(scene, parameters, 1.0, 0)
    dry = cv2.erode((water.cover == 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert dry.mean() > 0.2
    np.testing.assert_array_equal(wet[dry], scene[dry])
    assert np.abs(wet - scene)[water.cover == 1].mean() > 0.1


def test_number_of_drops_falls_with_the_asked_power_of_their_radius():
    parameters = {
        **PLAIN,
        "smallest": 0.004,
        "largest": 0.04,
        "size_exponent": 2.5,
        "coverage": 0.02,
        "irregularity": 0.0,
        "outline": 0.0,
        "elongation": 1.0,
        "runs": 0,
    }
    radii: list[float] = []
    for seed in range(10):
        water = lay((1000, 1000), parameters, np.random.default_rng(seed))
        statistics = cv2.connectedComponentsWithStats((water.cover > 0.5).astype(np.uint8))[2]
        radii.extend(np.sqrt(statistics[1:, cv2.CC_STAT_AREA] / np.pi))
    # Maximum likelihood of a power law (Hill): 1 + n/Σ ln(r/r₀), here cut at ten times r₀.
    logs = np.log(np.array(radii) / 4)
    assert len(radii) > 150
    exponents = np.linspace(1.2, 4, 281)
    likelihood = [
        len(logs) * np.log((a - 1) / (1 - 10 ** (1 - a))) - a * logs.sum() for a in exponents
    ]
    assert exponents[np.argmax(likelihood)] == pytest.approx(2.5, abs=0.35)


def test_touching_drops_are_one_body_with_a_smooth_surface():
    parameters = {**PLAIN, "coverage": 0.5, "outline": 0.2, "largest": 0.06, "smallest": 0.02}
    water = lay((256, 256), parameters, np.random.default_rng(1))
    wet = water.cover == 1
    beside = wet[:, :-1] & wet[:, 1:]
    assert (water.rank[:, :-1] == water.rank[:, 1:])[beside].all()
    steps = np.abs(np.diff(water.across, axis=1))[beside] * water.radius[:, 1:][beside]
    assert np.percentile(steps, 99) < 4


def test_drops_that_ran_down_leave_upright_trails():
    parameters = {**PLAIN, "coverage": 0.0, "largest": 0.05, "outline": 0.0, "runs": 4}
    seeds = range(8)
    spans = []
    for seed in seeds:
        wet = lay((400, 400), parameters, np.random.default_rng(seed)).cover > 0
        rows, columns = np.nonzero(wet)
        spans.append(np.unique(columns).size / np.unique(rows).size)
    assert np.median(spans) < 0.8


def test_more_drops_appear_with_strength(photo: Photo):
    parameters = {**PLAIN, "coverage": 0.5, "largest": 0.04}
    render = RAINDROP.prepare(photo, parameters, 1)
    touched = [
        float((np.abs(render(s) - photo).max(axis=2) > 0.02).mean()) for s in (0.2, 0.5, 0.8)
    ]
    assert 0 < touched[0] < touched[1] < touched[2]
