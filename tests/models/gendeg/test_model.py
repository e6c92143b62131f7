from __future__ import annotations

from typing import Any

import pytest
import torch

from gends.models.degrader import Instruction
from gends.models.gendeg import model as module
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import Preset


class StopError(Exception):
    """Raised where sampling would begin: the meta device holds no numbers to sample with."""


def test_a_condition_on_another_device_goes_where_the_model_is(
    mini_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    given: dict[str, torch.Tensor] = {}

    def guided(*_: Any, **tensors: torch.Tensor) -> None:
        given.update(tensors)
        raise StopError

    monkeypatch.setattr(module, "guided", guided)
    model = GenDeg.build(mini_preset, seed=0).to("meta", torch.bfloat16)
    instruction = Instruction(degradation="haze", mu=0.1, sigma=0.1, seed=0)
    with pytest.raises(StopError):
        model.generate(torch.zeros(1, 4, 4, 4), [instruction])
    assert {tensor.device.type for tensor in given.values()} == {"meta"}
    assert {tensor.dtype for tensor in given.values()} == {torch.bfloat16}
