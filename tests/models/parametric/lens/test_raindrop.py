from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.lens.raindrop import RAINDROP, Drops, lay, refract
from gends.models.pixels import Photo


def _one_drop(size: int, radius: float) -> Drops:
    """A round drop in the middle of a square image."""
    offset = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    across, down = np.meshgrid(offset, offset)
    distance2 = (across**2 + down**2) / radius**2
    inside = distance2 < 1
    return Drops(
        rank=np.where(inside, 0.0, 2.0).astype(np.float32),
        depth=(1 - distance2).astype(np.float32),
        across=np.where(inside, across, 0).astype(np.float32),
        down=np.where(inside, down, 0).astype(np.float32),
        radius=np.where(inside, radius, 1).astype(np.float32),
    )


def test_a_drop_shows_the_scene_upside_down_and_mirrored():
    ramp = np.linspace(0, 1, 129, dtype=np.float32)
    scene = np.zeros((129, 129, 3), np.float32)
    scene[..., 0] = ramp[np.newaxis, :]
    scene[..., 1] = ramp[:, np.newaxis]
    seen = refract(scene, _one_drop(129, 20), view=0.4)
    row = seen[64, 50:79, 0]
    column = seen[50:79, 64, 1]
    assert np.diff(row).max() < 0
    assert np.diff(column).max() < 0
    np.testing.assert_allclose(seen[64, 64, :2], 0.5, atol=0.02)


def test_a_drop_shows_more_of_the_scene_than_it_hides():
    ramp = np.linspace(0, 1, 129, dtype=np.float32)
    scene = np.repeat(np.tile(ramp, (129, 1))[..., np.newaxis], 3, axis=2)
    across = refract(scene, _one_drop(129, 20), view=0.4)[64, 46:83, 0]
    assert np.ptp(across) > 2 * np.ptp(scene[64, 46:83, 0])


def test_dry_glass_is_clear():
    scene = np.random.default_rng(0).random((96, 96, 3), dtype=np.float32)
    parameters = {**RAINDROP.draw(np.random.default_rng(0)), "coverage": 0.05, "largest": 0.05}
    drops = lay((96, 96), parameters, np.random.default_rng(0))
    wet = RAINDROP.apply(scene, parameters, 1.0, 0)
    # Whatever is farther from water than the blur of the glass reaches.
    dry = cv2.erode((drops.depth < 0).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    assert dry.mean() > 0.2
    np.testing.assert_array_equal(wet[dry], scene[dry])


def test_drops_vary_in_size_and_touching_ones_are_one_body(photo: Photo):
    parameters = RAINDROP.draw(np.random.default_rng(1))
    drops = lay((256, 256), parameters, np.random.default_rng(1))
    wet = drops.depth > 0
    radii = np.unique(drops.radius[wet])
    assert radii.max() > 2 * radii.min()
    beside = wet[:, :-1] & wet[:, 1:]
    assert (drops.rank[:, :-1] == drops.rank[:, 1:])[beside].mean() > 0.995


def test_more_drops_appear_with_strength(photo: Photo):
    parameters = {**RAINDROP.draw(np.random.default_rng(1)), "coverage": 0.5}
    render = RAINDROP.prepare(photo, parameters, 1)
    touched = [
        float((np.abs(render(s) - photo).max(axis=2) > 0.02).mean()) for s in (0.2, 0.5, 0.8)
    ]
    assert 0 < touched[0] < touched[1] < touched[2]
