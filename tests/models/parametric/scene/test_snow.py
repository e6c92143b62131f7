from __future__ import annotations

import cv2
import numpy as np

from gends.models.parametric.scene.snow import SNOW
from gends.models.pixels import Photo


def test_flakes_come_in_several_sizes():
    black = np.zeros((384, 384, 3), np.float32)
    areas: list[int] = []
    for seed in range(4):
        parameters = {**SNOW.draw(np.random.default_rng(seed)), "veil": 0.0}
        snowy = SNOW.apply(black, parameters, 0.4, seed)[..., 0]
        _, _, stats, _ = cv2.connectedComponentsWithStats((snowy > 0.15).astype(np.uint8))
        areas.extend(stats[1:, cv2.CC_STAT_AREA])
    small, large = np.percentile(areas, (10, 99))
    assert large > 10 * small


def test_snow_is_not_white_noise():
    """Neighbouring pixels of independent noise are uncorrelated; a flake spans several."""
    black = np.zeros((256, 256, 3), np.float32)
    parameters = {**SNOW.draw(np.random.default_rng(1)), "veil": 0.0}
    snowy = SNOW.apply(black, parameters, 0.5, 1)[..., 0]
    assert np.corrcoef(snowy[:, :-1].ravel(), snowy[:, 1:].ravel())[0, 1] > 0.5


def test_flakes_have_the_colour_of_snow(photo: Photo):
    parameters = {**SNOW.draw(np.random.default_rng(1)), "veil": 0.0, "light": 0.95}
    snowy = SNOW.apply(np.zeros_like(photo), parameters, 1.0, 1)
    assert snowy.max() <= 0.95 + 1e-6
    assert np.ptp(snowy, axis=2).max() < 1e-6
