from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.models.gendeg.calibration import Calibration, Curve, fit_curve

SEVERITIES = st.lists(st.floats(0.001, 0.5), min_size=2, max_size=60)


@given(SEVERITIES, st.integers(0, 1000))
def test_a_fitted_curve_rises_and_goes_through_its_knots(requested: list[float], seed: int):
    noise = np.random.default_rng(seed).uniform(0.2, 3, len(requested))
    curve = fit_curve(requested, np.array(requested) * noise)
    grid = np.linspace(0, 0.7, 50)
    asked = [curve.ask_for(mu) for mu in grid]
    assert asked[0] == 0
    assert (np.diff(asked) > 0).all()
    np.testing.assert_allclose([curve.ask_for(mu) for mu in curve.produced], curve.asked)


def test_a_model_that_overshoots_is_asked_for_less():
    requested = np.linspace(0.01, 0.28, 200)
    noise = np.random.default_rng(0).normal(1, 0.1, 200)
    curve = fit_curve(requested, 1.6 * requested**0.9 * noise)
    for wanted in (0.05, 0.1, 0.25):
        produced = 1.6 * curve.ask_for(wanted) ** 0.9
        assert produced == pytest.approx(wanted, rel=0.07)


def test_falling_measurements_are_pooled():
    curve = fit_curve([0.1, 0.2, 0.3, 0.4], [0.1, 0.3, 0.2, 0.5])
    np.testing.assert_allclose(curve.produced, [0.1, 0.25, 0.5])
    np.testing.assert_allclose(curve.asked, [0.1, 0.25, 0.4])


def test_degradations_without_a_curve_are_left_alone(tmp_path: Path):
    calibration = Calibration({"haze": Curve(asked=(0.1, 0.2), produced=(0.2, 0.3))})
    calibration.save(tmp_path / "calibration.json")
    loaded = Calibration.load(tmp_path / "calibration.json")
    assert loaded == calibration
    assert loaded.apply("haze", 0.2) == pytest.approx(0.1)
    assert loaded.apply("haze", 0.6) == pytest.approx(0.4)
    assert loaded.apply("rain", 0.2) == 0.2


KNOTS = '{{"haze": {{"asked": {0}, "produced": {1}}}}}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", ": no JSON"),
        pytest.param("[" * 100_000, ": no JSON", id="deep"),
        ("[]", ": expected an object"),
        ('{"haze": 3}', " is not a calibration: "),
        ('{"haze": {"asked": [1]}}', " is not a calibration: 'produced'"),
        (KNOTS.format("[2, 1]", "[1, 2]"), r"asked \[2, 1\]: give rising finite numbers above 0"),
        (KNOTS.format("[Infinity]", "[1]"), r"asked \[inf\]: give rising finite"),
        (KNOTS.format("[0.1, 1e999]", "[1, 2]"), r"asked \[0.1, inf\]: give rising finite"),
        (KNOTS.format("[1]", "[NaN]"), r"produced \[nan\]: give rising finite"),
        pytest.param(
            KNOTS.format("[1]", "[1" + "0" * 400 + "]"),
            r"produced \[10*\.\.\.0*\]: give",
            id="huge",
        ),
        (KNOTS.format('"12"', '"12"'), r"asked \['1', '2'\]: give rising"),
        (KNOTS.format("[true]", "[1]"), r"asked \[True\]: give rising"),
        (KNOTS.format("[]", "[]"), r"asked \[\]: give rising"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, says: str):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=rf"c\.json.*{says}") as caught:
        Calibration.load(tmp_path / "c.json")
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_in_its_place_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=f"{tmp_path}: Is a directory"):
        Calibration.load(tmp_path)


@pytest.mark.parametrize(
    ("requested", "measured"), [([0.1], [0.1]), ([0.1, 0.2], [0.1]), ([0.1, 0.2], [0.0, 0.1])]
)
def test_too_little_to_fit_is_refused(requested: list[float], measured: list[float]):
    with pytest.raises(ValueError, match=r"give two lists|above 0"):
        fit_curve(requested, measured)
