"""What one optimizer step of the generator does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel

from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.instruction.conditioning import SeverityConditioner
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.target import Target
from gends.models.training.task import Loss

DROPOUT = 0.05
"""Share of samples for each of: no text and severity, no condition at all, no image."""
SEVERITY_RATE = 10.0
"""Learning rate of the severity layers relative to the others, as published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorParts:
    """The networks of one generator in training, and what does not change about it."""

    unet: UNet2DConditionModel
    conditioner: SeverityConditioner
    text_encoder: CLIPTextModel
    schedule: NoiseSchedule
    target: Target
    phrase_tokens: Tensor
    """int64 (degradations, tokens), in the order of `DEGRADATIONS`."""
    null_tokens: Tensor
    """int64 (1, tokens): the empty prompt."""
    trains_text_encoder: bool

    @classmethod
    def of(cls, model: GenDeg, *, trains_text_encoder: bool) -> GeneratorParts:
        """The parts of a model, sharing its weights."""
        tokenizer = model.prompt_tokenizer
        return cls(
            unet=model.unet,
            conditioner=model.conditioner,
            text_encoder=model.text_encoder,
            schedule=model.schedule,
            target=model.target,
            phrase_tokens=tokenizer.ids([d.phrase for d in DEGRADATIONS.values()]),
            null_tokens=tokenizer.null,
            trains_text_encoder=trains_text_encoder,
        )

    def modules(self) -> dict[str, nn.Module]:
        """The trained modules by their folder names."""
        modules: dict[str, nn.Module] = {"unet": self.unet, "conditioner": self.conditioner}
        if self.trains_text_encoder:
            modules["text_encoder"] = self.text_encoder
        return modules

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """For an optimizer: all at `rate`, but the severity layers at ten times that."""
        modules = self.modules()
        severity = list(modules.pop("conditioner").parameters())
        others = [p for module in modules.values() for p in module.parameters()]
        return [
            {"params": others, "lr": rate},
            {"params": severity, "lr": rate * SEVERITY_RATE},
        ]


def generator_loss(
    parts: GeneratorParts, batch: Mapping[str, Tensor], rng: torch.Generator
) -> Loss:
    """Mean squared error of the prediction at uniformly drawn timesteps.

    Args:
        parts: The networks.
        batch: On the networks' device: `lq`, latents, and `clean`, condition latents, both
            (N, C, h, w); `mu` and `sigma`, fractions of the pixel range, (N,); `degradation`,
            index into `DEGRADATIONS`, (N,).
        rng: CPU generator: the only source of randomness.
    """
    severity = (batch["mu"], batch["sigma"])
    target = parts.target.encode(batch["lq"], batch["clean"], *severity, degradations_of(batch))
    device = target.device
    noise = torch.randn(target.shape, generator=rng).to(device)
    count = parts.schedule.num_train_timesteps
    timesteps = torch.randint(count, (len(target),), generator=rng).to(device)
    condition, states = drop_and_encode(parts, batch, torch.rand(len(target), generator=rng))
    noisy = parts.schedule.add_noise(target, noise, timesteps)
    prediction = parts.unet(torch.cat([noisy, condition], dim=1), timesteps, states).sample
    wanted = parts.schedule.target(target, noise, timesteps)
    return F.mse_loss(prediction.float(), wanted.float()), {}


def degradations_of(batch: Mapping[str, Tensor]) -> list[str]:
    """Names of a batch's degradations."""
    names = list(DEGRADATIONS)
    return [names[index] for index in batch["degradation"].tolist()]


def drop_and_encode(
    parts: GeneratorParts, batch: Mapping[str, Tensor], draw: Tensor
) -> tuple[Tensor, Tensor]:
    """Condition latents and fused states after conditioning dropout, one uniform draw per sample.

    Below 0.05 text and severity are nulled, up to 0.10 the image as well, up to 0.15 the image
    alone; severity is never dropped without the text (as published).
    """
    condition = batch["clean"]
    device = condition.device
    draw = draw.to(device)
    no_text = draw < 2 * DROPOUT
    no_image = (draw >= DROPOUT) & (draw < 3 * DROPOUT)
    phrases = parts.phrase_tokens.to(device)[batch["degradation"]]
    tokens = torch.where(no_text[:, None], parts.null_tokens.to(device), phrases)
    null = parts.conditioner.null_bin
    bins = parts.conditioner.bins(batch["mu"].tolist(), batch["sigma"].tolist())
    mu_bins, sigma_bins = (b.to(device).masked_fill(no_text, null) for b in bins)
    states = parts.conditioner(_text_states(parts, tokens), mu_bins, sigma_bins)
    return condition.masked_fill(no_image[:, None, None, None], 0), states


def _text_states(parts: GeneratorParts, tokens: Tensor) -> Tensor:
    """Text states of the prompts, each different prompt encoded once."""
    prompts, of_sample = torch.unique(tokens, dim=0, return_inverse=True)
    with torch.set_grad_enabled(parts.trains_text_encoder and torch.is_grad_enabled()):
        states = parts.text_encoder(input_ids=prompts).last_hidden_state
    return cast(Tensor, states[of_sample])
