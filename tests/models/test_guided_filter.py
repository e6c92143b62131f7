from __future__ import annotations

import cv2
import numpy as np
import pytest

from gends.models.guided_filter import guided_filter
from gends.models.pixels import Field


def least_squares(covariance: Field, variance: Field) -> Field:
    return covariance / (variance + np.float32(1e-6))


@pytest.mark.parametrize("shape", [(24, 31), (24, 31, 3)])
def test_a_linear_map_is_found_exactly(shape: tuple[int, ...]):
    guide = np.random.default_rng(0).random(shape, np.float32)
    target = np.float32(0.6) * guide + np.float32(0.3)
    found = guided_filter(target, guide, least_squares, radius=3, border=cv2.BORDER_REFLECT)
    for values, wanted in zip(found, (0.6, 0.3), strict=True):
        np.testing.assert_allclose(values, np.full(shape, wanted), atol=1e-3)


def test_each_place_has_the_map_of_its_own_surroundings():
    guide = np.random.default_rng(0).random((16, 60), np.float32)
    target = guide * np.where(np.arange(60) < 30, np.float32(0.2), np.float32(0.9))
    slope, _ = guided_filter(target, guide, least_squares, radius=2, border=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(slope[:, :25], 0.2, atol=1e-3)
    np.testing.assert_allclose(slope[:, 35:], 0.9, atol=1e-3)


def test_the_caller_bounds_the_slope():
    guide = np.random.default_rng(0).random((16, 16), np.float32)

    def flat(covariance: Field, variance: Field) -> Field:
        return np.zeros_like(covariance / (variance + 1))

    border = cv2.BORDER_REFLECT_101
    slope, offset = guided_filter(guide, guide, flat, radius=1, border=border)
    assert not slope.any()
    twice = cv2.blur(cv2.blur(guide, (3, 3), borderType=border), (3, 3), borderType=border)
    np.testing.assert_allclose(offset, twice, atol=1e-6)
