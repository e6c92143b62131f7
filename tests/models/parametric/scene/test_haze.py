from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.parametric.depth.procedural import pseudo_depth
from gends.models.parametric.scene.haze import HAZE
from gends.models.pixels import Photo

PARAMETERS = {
    "airlight": [0.85, 0.9, 0.95],
    "nearest": 0.1,
    "horizon": 0.4,
    "ground": 0.8,
    "cues": 0.4,
    "depth_gamma": 1.0,
    "patchiness": 0.0,
    "glow": 0.0,
    "glow_radius": 0.1,
    "glow_shape": 0.6,
}


def _depth(image: Photo, seed: int) -> np.ndarray:
    return pseudo_depth(image, np.random.default_rng(seed), horizon=0.4, ground=0.8, cues=0.4)


def test_two_scenes_give_back_transmission_and_airlight(photo: Photo):
    """Behind equal haze, two scenes differ by t times what they differed by; A follows."""
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    beta = 1.5
    strength = HAZE.scale.strength(beta)
    hazy, black = (
        HAZE.apply(scene, PARAMETERS, strength, 4, ramp) for scene in (photo, np.zeros_like(photo))
    )
    seen = photo > 0.1
    share = ((hazy - black) / np.maximum(photo, 1e-6))[seen]
    expected = np.exp(-beta * (0.1 + 0.9 * ramp))[..., np.newaxis].repeat(3, axis=2)[seen]
    np.testing.assert_allclose(share, expected, rtol=1e-4)
    t = np.exp(-beta * (0.1 + 0.9 * ramp))[..., np.newaxis]
    airlight = (black / (1 - t)).astype(np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(airlight, PARAMETERS["airlight"], atol=1e-4)


def test_two_strengths_give_back_beta(photo: Photo):
    """ln(A − I) is linear in β: its slope is the distance, whatever the scene."""
    depth = np.random.default_rng(0).random(photo.shape[:2]).astype(np.float32)
    airlight = np.array(PARAMETERS["airlight"])
    dark = np.minimum(photo, 0.5)
    weak, strong = (
        HAZE.apply(dark, PARAMETERS, HAZE.scale.strength(beta), 4, depth) for beta in (0.5, 2.0)
    )
    distance = np.log((airlight - weak) / (airlight - strong)).mean(axis=2) / 1.5
    np.testing.assert_allclose(distance, 0.1 + 0.9 * depth, atol=1e-3)


def test_dense_haze_leaves_little_but_airlight(photo: Photo):
    dense = HAZE.apply(photo, {**PARAMETERS, "nearest": 0.9}, 1.0, 4)
    np.testing.assert_allclose(dense.mean(axis=(0, 1)), PARAMETERS["airlight"], atol=0.02)
    assert dense.std(axis=(0, 1)).max() < 0.02


def test_haze_is_thicker_where_the_scene_is_farther():
    black = np.zeros((128, 128, 3), np.float32)
    hazy = HAZE.apply(black, PARAMETERS, 0.3, 4)[..., 0]
    depth = _depth(black, 4)
    assert hazy[depth > 0.8].min() > hazy[depth < 0.3].max()
    assert hazy[:30].mean() > 1.5 * hazy[-30:].mean()


def test_depth_follows_the_outlines_of_the_image():
    image = np.full((128, 128, 3), 0.1, np.float32)
    image[20:108, 64:] = 0.9
    depth = _depth(image, 1)
    across = np.abs(np.diff(depth, axis=1))[30:98]
    assert across[:, 63].mean() > 5 * np.median(across, axis=1).mean()


def test_patches_make_equal_depths_differ(photo: Photo):
    flat = np.ones(photo.shape[:2], np.float32)
    black = np.zeros_like(photo)
    even = HAZE.apply(black, PARAMETERS, 0.2, 4, flat)
    patchy = HAZE.apply(black, {**PARAMETERS, "patchiness": 1.0}, 0.2, 4, flat)
    assert np.ptp(even, axis=(0, 1)).max() < 1e-5
    assert patchy.std(axis=(0, 1)).min() > 0.03


def test_at_night_the_air_glows_about_a_lamp_as_a_generalised_gaussian():
    night = np.zeros((128, 128, 3), np.float32)
    night[63:66, 63:66] = 1
    flat = np.ones((128, 128), np.float32)
    parameters = {**PARAMETERS, "glow": 1.0, "glow_radius": 0.1, "glow_shape": 0.8}
    air = HAZE.apply(night, parameters, 1.0, 4, flat)[64, :, 1] / (0.9 * (1 - np.exp(-5)))
    distance = np.arange(8, 60)
    profile = air[64 + distance]
    model = np.exp(-((distance / 12.8) ** 0.8))
    slope = np.polyfit(np.log(model), np.log(profile), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.03)


def test_a_bright_sky_is_no_lamp():
    scene = np.full((128, 128, 3), 0.05, np.float32)
    scene[:50] = 0.8
    scene[100:103, 30:33] = 1
    flat = np.ones((128, 128), np.float32)
    air = HAZE.apply(scene, {**PARAMETERS, "glow": 1.0}, 1.0, 4, flat)[..., 1]
    assert air[101, 31] > 2 * air[10, 64]


def test_measured_depth_of_another_size_is_fitted(photo: Photo):
    coarse = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    hazy = HAZE.apply(photo, PARAMETERS, 0.4, 4, coarse)
    fine = HAZE.apply(photo, PARAMETERS, 0.4, 4, cv2.resize(coarse, (128, 128)))
    np.testing.assert_array_equal(hazy, fine)
