from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gends.models.gendeg.sampling.guidance import Guidance, guided

CONDITION = torch.full((2, 1, 2, 2), 3.0)
STATES, NULL = torch.full((2, 1, 1), 5.0), torch.zeros(1, 1, 1)


class Network:
    """Predicts the clean latents' mean plus 10 times the text: every branch is told apart."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, latents: Tensor, timestep: Tensor, states: Tensor) -> Tensor:
        self.batches.append(len(latents))
        noisy, condition = latents.chunk(2, dim=1)
        interaction = condition * states[:, :, :, None] * 0.5
        return noisy + condition + 10 * states[:, :, :, None] + interaction


def predict(text: float, image: float) -> tuple[Tensor, Network]:
    network = Network()
    guidance = Guidance(text=text, image=image)
    denoise = guided(network, guidance, condition=CONDITION, states=STATES, null_states=NULL)
    return denoise(torch.zeros(2, 1, 2, 2), torch.tensor(0)), network


@given(st.floats(-3, 10), st.floats(-3, 10))
def test_the_three_way_formula(text: float, image: float):
    predicted, _ = predict(text, image)
    full, clean_only, none = 3 + 50 + 7.5, 3.0, 0.0
    wanted = none + text * (full - clean_only) + image * (clean_only - none)
    torch.testing.assert_close(predicted, torch.full_like(predicted, wanted), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "image", "evaluations"),
    [(7.5, 1.5, 3), (7.5, 1.0, 2), (1.0, 1.0, 1), (2.0, 2.0, 2), (1.0, 1.5, 3), (0.0, 1.0, 1)],
)
def test_only_the_branches_that_count_are_evaluated(text: float, image: float, evaluations: int):
    _, network = predict(text, image)
    assert network.batches == [2 * evaluations]
