"""Where the grids of blocks lie, by blockiness alone."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from skimage.registration import phase_cross_correlation

from gends.models.parametric.coding.double_jpeg import DOUBLE_JPEG, QUALITY
from gends.models.pixels import to_float, to_uint8

PHOTO = skimage.data.astronaut()


def _coded(quality: int, second: int, shift: list[int]) -> np.ndarray:
    parameters = {"subsampling": "4:2:0", "second_quality": second, "shift": shift}
    return to_uint8(DOUBLE_JPEG.apply(to_float(PHOTO), parameters, QUALITY.strength(quality), 0))


def blockiness(levels: np.ndarray, axis: int) -> np.ndarray:
    """Of each of eight phases, how much steeper the steps into it are than those around them."""
    luma = levels @ np.array([0.299, 0.587, 0.114])
    steps = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
    excess = np.append(0, steps[1:-1] - (steps[:-2] + steps[2:]) / 2)
    pixels = np.arange(1, len(excess) + 1)
    return np.array([np.median(excess[pixels % 8 == phase]) for phase in range(8)])


@pytest.mark.parametrize("shift", [[1, 7], [3, 5], [4, 2]])
def test_the_second_grid_begins_where_it_was_asked_to(shift: list[int]):
    levels = _coded(90, 20, shift)
    assert [int(np.argmax(blockiness(levels, axis))) for axis in (0, 1)] == shift


def test_the_first_grid_is_still_seen_under_the_second():
    levels = _coded(12, 75, [3, 5])
    for axis, second in ((0, 3), (1, 5)):
        order = np.argsort(blockiness(levels, axis))[::-1]
        assert order[0] == 0
        assert second in order[:4]


def test_a_shifted_grid_costs_more_than_the_same_one_twice():
    same, moved = (
        np.abs(_coded(40, 40, shift).astype(int) - PHOTO).mean() for shift in ([0, 0], [4, 4])
    )
    assert moved > 1.1 * same


def test_the_pair_stays_aligned():
    levels = _coded(30, 60, [5, 3])
    shift, *_ = phase_cross_correlation(PHOTO[..., 1], levels[..., 1], upsample_factor=50)
    assert np.abs(shift).max() < 0.1
