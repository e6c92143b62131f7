from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.parametric.sensor.demosaic import FILTERS, demosaic, mosaic


def test_bilinear_is_that_of_opencv():
    raw = np.random.default_rng(0).integers(0, 60000, (40, 51)).astype(np.uint16)
    theirs = cv2.demosaicing(raw, cv2.COLOR_BayerRGGB2RGB).astype(np.float32)
    ours = demosaic(raw.astype(np.float32), "bilinear")
    np.testing.assert_allclose(ours[2:-2, 2:-2], theirs[2:-2, 2:-2], atol=1)


@pytest.mark.parametrize("method", list(FILTERS))
def test_what_was_seen_is_kept_and_smooth_gray_pictures_come_back(method: str):
    ramp = np.add.outer(np.arange(30), 2 * np.arange(41)).astype(np.float32)
    picture = np.repeat(ramp[..., np.newaxis], 3, axis=2)
    out = demosaic(mosaic(picture), method)
    np.testing.assert_allclose(out[3:-3, 3:-3], picture[3:-3, 3:-3], rtol=1e-5)
    noise = np.random.default_rng(1).standard_normal((30, 41)).astype(np.float32)
    np.testing.assert_array_equal(mosaic(demosaic(noise, method)), noise)


def test_malvar_weighs_a_red_pixel_as_in_the_papers_figure():
    impulse = np.zeros((16, 16), np.float32)
    impulse[8, 8] = 8
    out = demosaic(impulse, "malvar")
    assert out[8, 8].tolist() == [8, 4, 6]
    assert out[8, 7].tolist() == [4, 0, 0]
    assert out[8, 6].tolist() == [0, -1, -1.5]
    assert out[7, 7].tolist() == [2, 0, 0]
    assert out[8, 9].tolist() == [4, 0, 0]
    assert out[7, 8].tolist() == [4, 0, 0]
