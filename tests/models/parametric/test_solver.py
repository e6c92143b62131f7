from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gends.models.parametric.operation import Renderer
from gends.models.parametric.solver import solve
from gends.models.pixels import Photo, to_uint8

GREY = np.full((32, 32, 3), 100, np.uint8)


def _brighten(power: float) -> Renderer:
    def render(strength: float) -> Photo:
        return GREY.astype(np.float32) / np.float32(255) + np.float32(0.5 * strength**power)

    return render


@given(mu=st.floats(0.01, 0.45), power=st.sampled_from([0.5, 1.0, 2.0, 6.0]))
@settings(max_examples=60, deadline=None)
def test_a_reachable_severity_is_hit(mu: float, power: float):
    solution = solve(_brighten(power), GREY, mu, tolerance=0.003)
    assert abs(solution.mu - mu) <= 0.003
    difference = np.abs(solution.lq.astype(float) - GREY) / 255
    assert solution.mu == pytest.approx(difference.mean(), abs=1e-12)
    assert solution.sigma == pytest.approx(difference.std(), abs=1e-7)
    np.testing.assert_array_equal(solution.lq, to_uint8(_brighten(power)(solution.strength)))


def test_an_unreachable_severity_gives_the_nearest_and_says_so():
    solution = solve(_brighten(1.0), GREY, 0.9, tolerance=0.003)
    assert solution.strength == 1.0
    assert solution.mu == pytest.approx(0.5, abs=0.003)
