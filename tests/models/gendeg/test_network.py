from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.network import build_text_encoder, build_unet, seeded, widen_input
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


def test_a_widened_network_does_at_first_what_it_did_before(sd_preset: Preset):
    with seeded(0):
        narrow = build_unet(sd_preset)
        narrow = type(narrow).from_config(narrow.config, in_channels=4)
    wide = widen_input(narrow)
    rng = torch.Generator().manual_seed(0)
    noisy, clean = torch.randn(2, 1, 4, 8, 8, generator=rng)
    states = torch.randn(1, 77, 32, generator=rng)
    timestep = torch.tensor([500])
    with torch.no_grad():
        wanted = narrow(noisy, timestep, states).sample
        found = wide(torch.cat([noisy, clean], dim=1), timestep, states).sample
    torch.testing.assert_close(found, wanted)
    assert wide.config.in_channels == 8


def test_a_tokenizer_of_another_length_is_refused(tiny_mini: GenDeg, sd_preset: Preset):
    with pytest.raises(ValueError, match=r"16 tokens.*77 positions"):
        build_text_encoder(sd_preset, tiny_mini.tokenizer)


def test_a_tokenizer_with_a_larger_vocabulary_is_refused(tiny_sd: GenDeg, sd_preset: Preset):
    small = replace(sd_preset, text_encoder={**sd_preset.text_encoder, "vocab_size": 100})
    with pytest.raises(ValueError, match="100"):
        build_text_encoder(small, tiny_sd.tokenizer)
