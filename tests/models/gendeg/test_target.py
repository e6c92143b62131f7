from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gends.models.gendeg.target import Target

CLEAN, LQ = torch.randn(2, 6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
NAMES = ["rain", "snow"] * 3
MU, SIGMA = torch.linspace(0.02, 0.2, 6), torch.linspace(0.1, 0.05, 6)


def measured() -> Target:
    return Target.measured(LQ, CLEAN, MU, SIGMA, NAMES)


@given(mu=st.floats(0, 0.7), sigma=st.floats(0, 0.4))
def test_decoding_undoes_encoding(mu: float, sigma: float):
    severity = torch.full((6,), mu), torch.full((6,), sigma)
    for target in (Target(), measured()):
        made = target.encode(LQ, CLEAN, *severity, NAMES)
        again = target.decode(made, CLEAN, *severity, NAMES)
        torch.testing.assert_close(again, LQ, atol=1e-3, rtol=1e-3)


def test_the_published_target_is_the_image():
    assert torch.equal(Target().encode(LQ, CLEAN, MU, SIGMA, []), LQ)


def test_each_degradation_is_standardised_by_channel():
    made = measured().encode(LQ, CLEAN, MU, SIGMA, NAMES)
    for rows in (made[0::2], made[1::2]):
        spread, mean = torch.std_mean(rows, dim=(0, 2, 3), correction=0)
        torch.testing.assert_close(spread, torch.ones(3), atol=1e-3, rtol=0)
        torch.testing.assert_close(mean, torch.zeros(3), atol=1e-3, rtol=0)


def test_a_difference_is_as_large_whatever_the_severity():
    target = Target(kind="difference", mean={"rain": [0.0] * 3}, deviation={"rain": [1.0] * 3})
    mu = torch.tensor([0.02, 0.2])
    change = (LQ - CLEAN)[:1] * mu[:, None, None, None]
    made = target.encode(CLEAN[:1] + change, CLEAN[:1], mu, mu, ["rain", "rain"])
    torch.testing.assert_close(made[0], made[1], atol=1e-4, rtol=1e-4)


def test_a_degradation_that_was_not_trained_is_named():
    with pytest.raises(ValueError, match="haze"):
        measured().decode(LQ, CLEAN, MU, SIGMA, ["haze"] * 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "residual"},
        {"mean": {"rain": [0.0]}},
        {"mean": {"rain": [0.0]}, "deviation": {"rain": [0.0]}},
    ],
)
def test_what_cannot_be_inverted_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="target"):
        Target(**wrong)
