from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import GENDEG_MINI, GENDEG_SD15, Preset
from gends.models.gendeg.target import Target
from gends.models.training.objectives.generator import (
    GeneratorParts,
    degradations_of,
    drop_and_encode,
    generator_loss,
)

TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "projection_dim": 16,
}
TINY = replace(
    GENDEG_MINI,
    unet={
        **GENDEG_MINI.unet,
        "in_channels": 4,
        "out_channels": 2,
        "block_out_channels": (8, 8, 16),
        "norm_num_groups": 4,
        "attention_head_dim": 2,
        "cross_attention_dim": 16,
        "addition_embed_type_num_heads": 2,
    },
    text_encoder=TEXT,
    autoencoder=("PatchAutoencoder", {"latent_channels": 2, "fine_width": 4, "coarse_width": 4}),
    target=Target(
        kind="difference",
        mean={name: [0.1, 0.0] for name in DEGRADATIONS},
        deviation={name: [1.0, 2.0] for name in DEGRADATIONS},
    ),
)


def parts(preset: Preset = TINY, *, trains_text_encoder: bool = True) -> GeneratorParts:
    model = GenDeg.build(preset, seed=0)
    return GeneratorParts.of(model, trains_text_encoder=trains_text_encoder)


def batch(count: int = 4) -> dict[str, Tensor]:
    """Latents whose difference grows with severity, as those of real pairs do."""
    rng = torch.Generator().manual_seed(0)
    clean, change = torch.randn(2, count, 2, 8, 8, generator=rng)
    mu, sigma = torch.rand(2, count, generator=rng) * 0.2 + 0.05
    return {
        "lq": clean + change * torch.hypot(mu, sigma)[:, None, None, None],
        "clean": clean,
        "mu": mu,
        "sigma": sigma,
        "degradation": torch.arange(count) % 6,
    }


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_loss_is_a_function_of_its_generator():
    networks, data = parts(), batch()
    losses = [generator_loss(networks, data, rng(seed))[0].item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


class Perfect(nn.Module):
    """Predicts exactly what training asks for: knows the target and undoes the noising."""

    def __init__(self, networks: GeneratorParts, data: dict[str, Tensor]) -> None:
        super().__init__()
        self.schedule = networks.schedule
        pairs = (data[name] for name in ("lq", "clean", "mu", "sigma"))
        self.target = networks.target.encode(*pairs, degradations_of(data))

    def forward(self, latents: Tensor, timesteps: Tensor, states: Tensor) -> Any:
        noisy = latents[:, : self.target.shape[1]]
        abar = self.schedule.alphas_cumprod[timesteps][:, None, None, None]
        noise = (noisy - abar.sqrt() * self.target) / (1 - abar).sqrt()
        answer = type("Answer", (), {})()
        answer.sample = self.schedule.target(self.target, noise, timesteps)
        return answer


@pytest.mark.parametrize("published", [GENDEG_MINI, GENDEG_SD15], ids=lambda p: p.name)
def test_a_perfect_prediction_has_no_loss(published: Preset):
    target = TINY.target if published.target.kind == "difference" else published.target
    tiny = replace(TINY, schedule=published.schedule, target=target)
    networks, data = parts(tiny), batch()
    perfect = replace(networks, unet=Perfect(networks, data))
    loss, _ = generator_loss(perfect, data, rng())
    assert loss.item() < 1e-4
    assert generator_loss(networks, data, rng())[0].item() > 0.1


def test_dropout_follows_one_draw_per_sample():
    networks = parts()
    data = batch(6)
    draw = torch.tensor([0.0, 0.049, 0.051, 0.099, 0.12, 0.151])
    condition, states = drop_and_encode(networks, data, draw)
    full_condition, full = drop_and_encode(networks, data, torch.ones(6))
    assert torch.equal(full_condition, data["clean"])
    no_image = condition.flatten(1).eq(0).all(1)
    assert no_image.tolist() == [False, False, True, True, True, False]
    changed = (states != full).flatten(1).any(1)
    assert changed.tolist() == [True, True, True, True, False, False]
    assert torch.equal(states[0], states[3])  # all nulls are one null
    null_bin = torch.tensor([networks.conditioner.null_bin])
    text = networks.text_encoder(input_ids=networks.null_tokens).last_hidden_state
    torch.testing.assert_close(states[0], networks.conditioner(text, null_bin, null_bin)[0])


def test_dropout_rates_are_five_percent_each():
    networks, count = parts(), 20_000
    data = {name: tensor[:1].expand(count, *tensor.shape[1:]) for name, tensor in batch(1).items()}
    data["clean"] = torch.ones(count, 2, 1, 1)
    with torch.no_grad():
        condition, states = drop_and_encode(networks, data, torch.rand(count, generator=rng()))
        _, full = drop_and_encode(networks, data, torch.ones(count))
    no_image = condition[:, 0, 0, 0] == 0
    no_text = (states != full).flatten(1).any(1)
    for share in (no_image & ~no_text, no_image & no_text, ~no_image & no_text):
        assert share.float().mean().item() == pytest.approx(0.05, abs=0.005)


def test_gradients_reach_every_trained_parameter_and_no_other():
    for trains in (True, False):
        networks = parts(trains_text_encoder=trains)
        generator_loss(networks, batch(24), rng())[0].backward()
        for module in networks.modules().values():
            unused = [n for n, p in module.named_parameters() if p.grad is None]
            assert not unused
        frozen = next(networks.text_encoder.parameters()).grad is None
        assert frozen is not trains


def test_severity_layers_learn_ten_times_as_fast():
    networks = parts()
    others, severity = networks.parameter_groups(1e-4)
    assert severity["lr"] == pytest.approx(1e-3)
    assert {id(p) for p in severity["params"]} == {id(p) for p in networks.conditioner.parameters()}
    held = sum(p.numel() for group in (others, severity) for p in group["params"])
    assert held == sum(p.numel() for m in networks.modules().values() for p in m.parameters())


def test_a_few_steps_learn_one_batch():
    networks, data = parts(), batch(2)
    optimizer = torch.optim.AdamW(networks.parameter_groups(4e-3))
    losses = []
    for _ in range(20):
        loss, _ = generator_loss(networks, data, rng(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
