from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gends.models.gendeg.instruction.conditioning import SeverityConditioner, bin_index


@given(st.floats(0, 0.7, exclude_max=True, allow_subnormal=False))
def test_a_bin_holds_its_value(value: float):
    edges = np.linspace(0, 0.7, 129)
    index = int(bin_index(value, 0.7))
    assert edges[index] <= value < edges[index + 1]


def test_bins_of_the_publication():
    assert bin_index([0.0, 0.00546, 0.00547, 0.35, 0.7, 3.0], 0.7).tolist() == [
        0,
        0,
        1,
        64,
        127,
        127,
    ]


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf")])
def test_values_that_are_no_severity_are_refused(value: float):
    with pytest.raises(ValueError, match="severity"):
        bin_index([0.1, value], 0.7)


def test_published_sizes():
    conditioner = SeverityConditioner()
    assert conditioner.severity.weight.shape == (77, 129)
    assert conditioner.fusion.weight.shape == (768, 770)
    assert conditioner.null_bin == 128


def test_text_passes_unchanged_where_severity_says_nothing():
    conditioner = SeverityConditioner(width=8, tokens=5)
    torch.nn.init.zeros_(conditioner.severity.weight)
    torch.nn.init.zeros_(conditioner.severity.bias)
    text = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    bins = torch.tensor([0, 64, 128])
    torch.testing.assert_close(conditioner(text, bins, bins), text)


def test_fused_states_follow_the_published_formula():
    conditioner = SeverityConditioner(width=4, tokens=3, bins=8)
    text = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(0))
    fused = conditioner(text, torch.tensor([2]), torch.tensor([7]))
    severity = conditioner.severity.weight[:, [2, 7]] + conditioner.severity.bias[:, None]
    token = torch.cat([text[0, 1], severity[1]])  # features of the second token
    wanted = conditioner.fusion.weight @ token + conditioner.fusion.bias
    torch.testing.assert_close(fused[0, 1], wanted)


def test_smooth_initialisation_puts_neighbours_near_and_null_apart():
    weight = SeverityConditioner(tokens=16, severity_init="smooth").severity.weight.detach()
    distance = torch.cdist(weight.T, weight.T)
    nearest = distance[:128, :128].fill_diagonal_(torch.inf).argmin(dim=1)
    assert (nearest - torch.arange(128)).abs().max() == 1
    assert distance[128, :128].min() > 2 * distance[1:127].diagonal(offset=2).max()
    default = SeverityConditioner(tokens=16).severity.weight.detach()
    neighbours = (default[:, 1:] - default[:, :-1]).norm(dim=0)
    assert neighbours.mean() > 0.15 > (weight[:, 64:127] - weight[:, 65:128]).norm(dim=0).mean() / 4


def test_unknown_initialisation_is_refused():
    with pytest.raises(ValueError, match="severity_init"):
        SeverityConditioner(severity_init="ones")
