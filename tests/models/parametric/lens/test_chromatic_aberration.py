from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from skimage.registration import phase_cross_correlation

from gends.models.parametric.lens.chromatic_aberration import (
    CHROMATIC_ABERRATION,
    MAGNIFICATION,
)
from gends.models.parametric.operation import Parameters
from gends.models.pixels import Photo, to_uint8

NONE = {"red": 0.0, "blue": 0.0, "axial": [0.0, 0.0], "fringe": 0.0}


def _drawn(**given: object) -> Parameters:
    return {**CHROMATIC_ABERRATION.draw(np.random.default_rng(0)), **NONE, **given}


def _magnification(before: np.ndarray, after: np.ndarray) -> float:
    """Slope of the shifts of patches over their distance from the centre."""
    middle, half = before.shape[0] / 2, 48
    # Slow changes of light stay where the window is: only detail tells where things went.
    before, after = (i - cv2.GaussianBlur(i, (0, 0), 4) for i in (before, after))
    places, shifts = [], []
    for y in range(half, before.shape[0] - half + 1, half):
        for x in range(half, before.shape[1] - half + 1, half):
            box = np.s_[y - half : y + half, x - half : x + half]
            window = np.outer(np.hanning(2 * half), np.hanning(2 * half))
            first, second = ((i[box] - i[box].mean()) * window for i in (after, before))
            shift, _, _ = phase_cross_correlation(
                second, first, upsample_factor=100, normalization=None
            )
            places += [y - middle, x - middle]
            shifts += [-shift[0], -shift[1]]
    return float(np.polyfit(places, shifts, 1)[0])


@pytest.mark.parametrize(("red", "blue"), [(1.0, -1.0), (-0.5, 0.75)])
def test_phase_correlation_gives_the_magnification_back(red: float, blue: float):
    image = cv2.resize(skimage.data.astronaut(), (512, 512)).astype(np.float32) / np.float32(255)
    strength = MAGNIFICATION.strength(0.008)
    out = CHROMATIC_ABERRATION.apply(image, _drawn(red=red, blue=blue), strength, 0)
    assert _magnification(image[..., 0], out[..., 0]) == pytest.approx(0.008 * red, abs=6e-4)
    assert _magnification(image[..., 2], out[..., 2]) == pytest.approx(0.008 * blue, abs=6e-4)


def test_green_stays_as_it_is(photo: Photo):
    for seed in range(6):
        parameters = CHROMATIC_ABERRATION.draw(np.random.default_rng(seed))
        out = CHROMATIC_ABERRATION.apply(photo, parameters, 1.0, seed)
        np.testing.assert_array_equal(to_uint8(out)[..., 1], to_uint8(photo)[..., 1])


def test_axial_aberration_is_a_gaussian_blur_of_its_own_channel():
    point = np.zeros((129, 129, 3), np.float32)
    point[64, 64] = 1
    out = CHROMATIC_ABERRATION.apply(point, _drawn(axial=[0.02, 0.03]), 1.0, 0)
    light = out.astype(np.float64) ** 2.2
    x = np.arange(129) - 64
    for channel, sigma in ((0, 0.02), (2, 0.03)):
        profile = light[..., channel].sum(axis=0)
        found = np.sqrt((profile * x**2).sum() / profile.sum())
        assert found == pytest.approx(sigma * 129, rel=0.03)
    assert light[64, 64, 1] == pytest.approx(1)


def test_the_fringe_is_purple_and_around_highlights_only():
    image = np.full((128, 128, 3), 0.2, np.float32)
    image[:, :64] = 1
    out = CHROMATIC_ABERRATION.apply(image, _drawn(fringe=0.8, reach=0.02), 1.0, 0)
    beside, far = out[64, 66], out[64, 110]
    assert beside[2] > beside[0] > beside[1] + 0.02
    np.testing.assert_allclose(far, 0.2, atol=1e-3)
    np.testing.assert_allclose(out[64, 20], 1, atol=1e-3)
