from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from gends.models.parametric.scene.underwater import UNDERWATER
from gends.models.pixels import Photo

PARAMETERS = {
    "water": "II",
    "veiling_light": [0.1, 0.45, 0.6],
    "nearest": 0.2,
    "horizon": 0.4,
    "ground": 0.8,
    "cues": 0.4,
    "forward_scatter": 0.0,
    "scatter_radius": 0.01,
    "marine_snow": 0.0,
    "caustics": 0.0,
}
FLAT = np.ones((128, 128), np.float32)


def _through(value: float, water: str, metres: float) -> np.ndarray:
    scene = np.full((128, 128, 3), value, np.float32)
    strength = UNDERWATER.scale.strength(metres)
    seen = UNDERWATER.apply(scene, {**PARAMETERS, "water": water}, strength, 3, FLAT)
    return seen[64, 64].astype(np.float64) ** 2.2


@pytest.mark.parametrize(
    ("water", "left"),
    [("I", (0.805, 0.961, 0.982)), ("II", (0.8, 0.925, 0.94)), ("5C", (0.67, 0.73, 0.67))],
)
def test_two_scenes_give_back_what_a_metre_of_water_leaves(water: str, left: tuple[float, ...]):
    near, far = (_through(0.8, water, m) - _through(0.3, water, m) for m in (2, 4))
    np.testing.assert_allclose(np.sqrt(far / near), left, atol=2e-3)


def test_endless_water_has_its_veiling_light(photo: Photo):
    seen = UNDERWATER.apply(photo, {**PARAMETERS, "water": "9C", "nearest": 1.0}, 1.0, 3)
    np.testing.assert_allclose(seen.mean(axis=(0, 1)), PARAMETERS["veiling_light"], atol=0.01)


def test_halos_grow_with_distance(photo: Photo):
    """Sharpness against the same water without scatter, at the near and at the far half."""
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    clear, scattered = (
        UNDERWATER.apply(photo, {**PARAMETERS, "forward_scatter": f}, 0.4, 3, ramp) for f in (0, 1)
    )
    kept = [np.abs(cv2.Laplacian(i, cv2.CV_32F)).mean(axis=2) for i in (clear, scattered)]
    near = kept[1][:, :40].mean() / kept[0][:, :40].mean()
    far = kept[1][:, -40:].mean() / kept[0][:, -40:].mean()
    assert far < near - 0.1


def test_scatter_does_not_move_the_picture(photo: Photo):
    blurred = UNDERWATER.apply(photo, {**PARAMETERS, "forward_scatter": 1.0}, 0.3, 3, FLAT)
    shift, _, _ = phase_cross_correlation(photo[..., 1], blurred[..., 1], upsample_factor=50)
    assert np.abs(shift).max() <= 0.1


def test_marine_snow_is_bright_and_sparse(photo: Photo):
    plain, snowy = (
        UNDERWATER.apply(photo * 0.2, {**PARAMETERS, "marine_snow": m}, 0.5, 3) for m in (0, 1)
    )
    extra = (snowy - plain).mean(axis=2)
    assert 0.001 < (extra > 0.03).mean() < 0.15
    assert extra.max() > 0.1


def test_a_wide_halo_stays_in_place_on_a_large_picture(photo: Photo):
    large = cv2.resize(photo, (900, 700), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    parameters = {**PARAMETERS, "forward_scatter": 1.0, "scatter_radius": 0.012}
    blurred = UNDERWATER.apply(large, parameters, 0.3, 3, np.ones((700, 900), np.float32))
    shift, _, _ = phase_cross_correlation(large[..., 1], blurred[..., 1], upsample_factor=50)
    assert np.abs(shift).max() <= 0.1
