from __future__ import annotations

import numpy as np
import pytest

from gends.models.parametric.sensor.overexposure import EV, OVEREXPOSURE
from gends.models.pixels import Photo

HARD = {"shoulder": 0.0, "bloom": 0.0, "locality": 0.0}


@pytest.mark.parametrize("ev", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("shoulder", [0.0, 0.7])
def test_ev_is_the_ratio_of_dark_parts_in_linear_light(photo: Photo, ev: float, shoulder: float):
    dark = 0.1 * photo + 0.01
    bright = OVEREXPOSURE.apply(dark, {**HARD, "shoulder": shoulder}, EV.strength(ev), 0)
    ratio = bright.astype(np.float64) ** 2.2 / dark.astype(np.float64) ** 2.2
    assert np.median(np.log2(ratio)) == pytest.approx(ev, abs=0.02 if shoulder else 1e-3)


def test_a_hard_clip_is_scaled_linear_light(photo: Photo):
    out = OVEREXPOSURE.apply(photo, HARD, EV.strength(2.0), 0)
    expected = np.minimum(4 * photo**2.2, 1) ** (1 / 2.2)
    np.testing.assert_allclose(out, expected, atol=1e-4)
    assert (out == 1).mean() == pytest.approx((photo**2.2 > 0.25).mean(), abs=0.001)


def test_channels_clip_one_after_the_other():
    orange = np.full((64, 64, 3), (0.9, 0.5, 0.2), np.float32)
    red, green, blue = OVEREXPOSURE.apply(orange, HARD, EV.strength(2.0), 0)[0, 0]
    assert red == 1
    assert green == pytest.approx(0.5 * 4 ** (1 / 2.2), rel=1e-3)
    assert blue == pytest.approx(0.2 * 4 ** (1 / 2.2), rel=1e-3)


def test_a_shoulder_clips_later():
    light = np.full((64, 64, 3), 0.7, np.float32)
    hard, soft = (
        OVEREXPOSURE.apply(light, {**HARD, "shoulder": k}, EV.strength(1.5), 0).mean()
        for k in (0.0, 0.9)
    )
    assert hard == 1
    assert 0.7 < soft < 0.97


def test_bloom_spills_from_what_is_too_bright_and_fades_with_distance():
    lamp = np.full((256, 256, 3), 0.05, np.float32)
    lamp[118:138, 118:138] = 1
    parameters = {**HARD, "bloom": 0.15}
    spilled = OVEREXPOSURE.apply(lamp, parameters, 0.75, 0)
    spilled -= OVEREXPOSURE.apply(lamp, HARD, 0.75, 0)
    near, far = spilled[128, 142].mean(), spilled[128, 200].mean()
    assert near > 3 * far
    assert near > 0.05
    assert spilled.min() > -1e-6


def test_a_local_exposure_leaves_the_dark_parts_alone(photo: Photo):
    out = OVEREXPOSURE.apply(photo, {**HARD, "locality": 1.0}, 0.5, 3)
    change = np.abs(out - photo).max(axis=2)
    assert (change < 0.01).mean() > 0.1
    assert (change > 0.1).mean() > 0.1
