from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import build_text_encoder
from gends.models.gendeg.presets import Preset


def parameters(model: GenDeg) -> dict[str, torch.Tensor]:
    return {
        f"{part}.{name}": tensor
        for part, module in model.modules.items()
        if module is not None
        for name, tensor in module.state_dict().items()
    }


def test_weights_follow_the_seed_and_leave_the_global_generator_alone(mini_preset: Preset):
    before = torch.random.get_rng_state()
    first, again, other = (parameters(GenDeg.build(mini_preset, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["unet.conv_in.weight"], other["unet.conv_in.weight"])


def test_a_tokenizer_of_another_length_is_refused(tiny_mini: GenDeg, sd_preset: Preset):
    with pytest.raises(ValueError, match=r"16 tokens.*77 positions"):
        build_text_encoder(sd_preset, tiny_mini.tokenizer)


def test_a_tokenizer_with_a_larger_vocabulary_is_refused(tiny_sd: GenDeg, sd_preset: Preset):
    small = replace(sd_preset, text_encoder={**sd_preset.text_encoder, "vocab_size": 100})
    with pytest.raises(ValueError, match="100"):
        build_text_encoder(small, tiny_sd.tokenizer)
