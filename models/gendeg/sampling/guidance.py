"""Three-way classifier-free guidance, evaluating only the branches that count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from gends.models.gendeg.sampling.sampler import Denoise

Network: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(noisy and condition latents (N, 2C, h, w), timestep, conditioning (N, T, W)) → prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How far to move along each condition: s_T and s_I of InstructPix2Pix (arXiv 2211.09800).

    e = e(0,0) + text·[e(T,I) - e(0,I)] + image·[e(0,I) - e(0,0)], where T is the text with the
    severity and I the clean image. 1 and 1 is no guidance.
    """

    text: float
    image: float

    def coefficients(self) -> dict[str, float]:
        """Weight of each evaluation that counts: "full" e(T,I), "image" e(0,I), "none" e(0,0)."""
        weights = {"full": self.text, "image": self.image - self.text, "none": 1 - self.image}
        return {branch: weight for branch, weight in weights.items() if weight != 0}


def guided(
    network: Network,
    guidance: Guidance,
    *,
    condition: Tensor,
    states: Tensor,
    null_states: Tensor,
) -> Denoise:
    """A denoiser under guidance.

    Args:
        network: The generator.
        guidance: Scales.
        condition: Latents of the clean images, (N, C, h, w).
        states: Text states fused with severity, (N, T, W).
        null_states: The empty text fused with the null severity, (1, T, W).
    """
    weights = guidance.coefficients()
    nothing = torch.zeros_like(condition)
    null = null_states.expand_as(states)
    branches = {"full": (condition, states), "image": (condition, null), "none": (nothing, null)}
    images = torch.cat([branches[name][0] for name in weights])
    texts = torch.cat([branches[name][1] for name in weights])

    def denoise(noisy: Tensor, timestep: Tensor) -> Tensor:
        latents = noisy.to(images.dtype).repeat(len(weights), 1, 1, 1)
        predictions = network(torch.cat([latents, images], dim=1), timestep, texts)
        parts = predictions.float().chunk(len(weights))
        return torch.stack([w * p for w, p in zip(weights.values(), parts, strict=True)]).sum(0)

    return denoise
