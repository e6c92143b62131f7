from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.models.parametric.parameter import Parameter
from gends.pipeline.planning.values import parse_value

NUMBER = Parameter(meaning="m", low=-2, high=50, unit="px")
WHOLE = Parameter(meaning="m", low=1, high=10, is_whole=True)
KIND = Parameter(meaning="m", choices=("gray", "colour"))
SWITCH = Parameter(meaning="m", choices=(True, False))
COLOUR = Parameter(meaning="m", size=3)
POINT = Parameter(meaning="m", size=2)


def draws(given_, parameter, count=400):
    value, rng = parse_value("p", given_, parameter), np.random.default_rng(7)
    return [value.draw(rng) for _ in range(count)]


@given(ends=st.tuples(st.floats(-2, 50), st.floats(-2, 50)).map(sorted), seed=st.integers(0, 2**32))
def test_a_range_gives_what_lies_in_it(ends, seed):
    value = parse_value("p", ends, NUMBER)
    drawn = value.draw(np.random.default_rng(seed))
    assert round(ends[0], 6) <= drawn <= round(ends[1], 6)


def test_a_range_is_drawn_from_evenly():
    drawn = np.array(draws([10, 30], NUMBER, 4000))
    assert (drawn.min(), drawn.max()) == pytest.approx((10, 30), abs=0.1)
    assert np.histogram(drawn, 4, (10, 30))[0] == pytest.approx(1000, abs=120)


def test_whole_numbers_include_both_ends_and_are_integers():
    counts = Counter(draws([2, 4], WHOLE, 3000))
    assert set(counts) == {2, 3, 4}
    assert all(isinstance(value, int) for value in counts)
    assert list(counts.values()) == pytest.approx([1000] * 3, abs=120)


@pytest.mark.parametrize("given_", [3, 3.0, {"choice": [3.0]}, [3.0, 3.0]])
def test_a_whole_number_is_an_integer_however_it_is_written(given_):
    (drawn,) = set(draws(given_, WHOLE, 20))
    assert type(drawn) is int
    assert drawn == 3


def test_one_value_is_that_value():
    assert set(draws(25, NUMBER)) == {25}
    assert set(draws("gray", KIND)) == {"gray"}
    assert set(draws(False, SWITCH)) == {False}
    assert draws([0.1, 0.2, 0.3], COLOUR, 1) == [[0.1, 0.2, 0.3]]
    assert draws([0.1, 0.9], POINT, 1) == [[0.1, 0.9]]


def test_a_choice_gives_each_equally_often():
    counts = Counter(draws({"choice": [15, 25, 50]}, NUMBER, 3000))
    assert set(counts) == {15, 25, 50}
    assert list(counts.values()) == pytest.approx([1000] * 3, abs=120)
    assert set(draws({"choice": ["gray", "colour"]}, KIND)) == {"gray", "colour"}
    assert draws({"choice": [[0, 0, 0.5]]}, COLOUR, 1) == [[0, 0, 0.5]]


@pytest.mark.parametrize(
    ("given_", "parameter", "says"),
    [
        (51, NUMBER, "p is 51; it must lie from -2 to 50 px"),
        (-2.1, NUMBER, "p is -2.1; it must lie from -2 to 50 px"),
        ([0, 51], NUMBER, "p is 51; it must lie"),
        ([-3, 5], NUMBER, "p is -3; it must lie"),
        ([25, 5], NUMBER, "p is [25, 5]; the lower end comes first"),
        ([1, 2, 3], NUMBER, "p is [1, 2, 3]; give a number"),
        ([], NUMBER, "p is []; give a number"),
        ({"choice": [5, 60]}, NUMBER, "p is 60; it must lie"),
        ({"choice": []}, NUMBER, "give a value, a range [low, high] or {choice: [a, b]}"),
        ({"choice": 5}, NUMBER, "give a value, a range [low, high] or"),
        ({"choices": [5]}, NUMBER, "p is {'choices': [5]}; give a value, a range"),
        ({"choice": [5], "x": 1}, NUMBER, "give a value, a range"),
        ("5", NUMBER, "p is '5'; give a number from -2 to 50 px"),
        (None, NUMBER, "p is None; give a number"),
        (True, NUMBER, "p is True; give a number"),
        (float("nan"), NUMBER, "p is nan; it must lie"),
        (float("inf"), NUMBER, "p is inf; it must lie"),
        (2.5, WHOLE, "p is 2.5; give a whole number from 1 to 10"),
        ([1, 2.5], WHOLE, "p is 2.5; give a whole number"),
        ({"choice": [1, 2.5]}, WHOLE, "p is 2.5; give a whole number"),
        ("grey", KIND, "p is 'grey'; give gray or colour"),
        (["gray", "colour"], KIND, "p is ['gray', 'colour']; give gray or colour"),
        (1, SWITCH, "p is 1; give true or false"),
        ([0.1, 0.2], COLOUR, "give a list of 3 numbers"),
        ([[0, 0, 0], [1, 1, 1]], COLOUR, "give a list of 3 numbers"),
        ([0, 0, 2], COLOUR, "p is 2; it must lie from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(given_, parameter, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_value("p", given_, parameter)
