from __future__ import annotations

import numpy as np

from gends.models.parametric.depth.procedural import pseudo_depth
from gends.models.parametric.scene.haze import DENSEST, HAZE
from gends.models.pixels import Photo

PARAMETERS = {
    "airlight": [0.9, 0.9, 0.9],
    "nearest": 0.1,
    "horizon": 0.4,
    "ground": 0.8,
    "cues": 0.4,
    "patchiness": 0.0,
}


def _depth(image: Photo, seed: int) -> np.ndarray:
    return pseudo_depth(image, np.random.default_rng(seed), horizon=0.4, ground=0.8, cues=0.4)


def test_transmission_falls_exponentially_with_depth(photo: Photo):
    hazy = HAZE.apply(photo, PARAMETERS, 0.3, 4)
    transmission = np.exp(-DENSEST * 0.3 * (0.1 + 0.9 * _depth(photo, 4)))[..., np.newaxis]
    np.testing.assert_allclose(hazy, photo * transmission + 0.9 * (1 - transmission), atol=1e-5)


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
    black = np.zeros_like(photo)
    even = HAZE.apply(black, PARAMETERS, 0.3, 4)
    patchy = HAZE.apply(black, {**PARAMETERS, "patchiness": 1.0}, 0.3, 4)
    assert np.abs(even - patchy).mean() > 0.01
