from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from gends.histograms.severity import measure
from gends.models.degrader import Degraded, Image, Instruction
from gends.models.dry import DryDegrader

SIZE = 128


def photo(seed: int = 0) -> Image:
    """A crop of a photograph with dark, middle and bright tones."""
    rng = np.random.default_rng(seed)
    whole = data.astronaut()
    top, left = rng.integers(whole.shape[0] - SIZE, size=2)
    return np.ascontiguousarray(whole[top : top + SIZE, left : left + SIZE])


def grey(level: int) -> Image:
    return np.full((SIZE, SIZE, 3), level, np.uint8)


def degraded(clean: Image, mu: float, sigma: float, seed: int = 0) -> Degraded:
    instruction = Instruction(degradation="haze", mu=mu, sigma=sigma, seed=seed)
    [[result]] = DryDegrader().degrade([clean], [[instruction]])
    return result


def painted(clean: Image, mu: float, sigma: float, seed: int = 0) -> tuple[float, float]:
    severity = measure(degraded(clean, mu, sigma, seed).lq, clean)
    return severity.mu, severity.sigma


def largest_sigma(clean: Image, mu: float) -> float:
    """Of images whose mean difference to `clean` is mu: values with most room take all of it."""
    room = np.sort(np.maximum(clean, 255 - clean).ravel() / 255)[::-1]
    moved = room[: np.searchsorted(room.cumsum(), mu * room.size)]
    return float(np.sqrt(max((moved**2).sum() / room.size - mu**2, 0)))


@pytest.mark.parametrize(
    ("mu", "sigma"),
    [(0.025, 0.089), (0.05, 0.2), (0.1, 0.25), (0.1, 0.1), (0.25, 0.05), (0.3, 0.3), (0.08, 0.0)],
)
def test_both_are_hit(mu: float, sigma: float):
    assert painted(photo(), mu, sigma) == pytest.approx((mu, sigma), rel=0.05, abs=0.003)


@given(
    mu=st.floats(0.005, 0.49),
    sigma=st.floats(0, 0.4),
    seed=st.integers(0, 2**64 - 1),
    crop=st.integers(0, 20),
)
def test_both_are_hit_wherever_the_image_has_room(mu: float, sigma: float, seed: int, crop: int):
    clean = photo(crop)
    found = painted(clean, mu, sigma, seed)
    wanted = (mu, min(sigma, largest_sigma(clean, mu)))
    # Some thousands of values are drawn: five deviations of what that varies by.
    assert found == pytest.approx(wanted, rel=0.05, abs=0.012)


def test_a_grey_image_gets_the_nearest_sigma():
    mu, sigma = painted(grey(128), 0.1, 0.25)
    assert mu == pytest.approx(0.1, rel=0.02)
    assert sigma == pytest.approx(np.sqrt(0.1 * (128 / 255 - 0.1)), rel=0.02)


def test_more_than_there_is_room_for_moves_every_value_to_its_end():
    for clean in (grey(100), photo()):
        found = degraded(clean, 0.99, 0.1)
        np.testing.assert_array_equal(found.lq, np.where(clean < 128, 255, 0))


@pytest.mark.parametrize("level", [0, 255])
def test_an_image_of_one_extreme_can_have_any_severity(level: int):
    for mu, sigma in ((0.6, 0.3), (0.7, 0.0), (0.1, 0.28)):
        assert painted(grey(level), mu, sigma) == pytest.approx((mu, sigma), rel=0.03, abs=0.003)


def test_a_mean_that_only_bright_and_dark_values_have_room_for_is_reached():
    half = np.concatenate([grey(128)[: SIZE // 2], grey(255)[: SIZE // 2]])
    mu, sigma = painted(half, 0.7, 0.01)
    assert mu == pytest.approx(0.7, abs=0.002)
    assert sigma == pytest.approx(0.7 - 128 / 255, abs=0.002)  # the least at that mean


def test_nothing_asked_is_nothing_done():
    clean = photo()
    for sigma in (0.0, 0.2):
        assert measure(degraded(clean, 0.0, sigma).lq, clean).mu == 0


def test_pixels_follow_the_seed():
    first, again, other = (degraded(photo(), 0.1, 0.2, seed).lq for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
