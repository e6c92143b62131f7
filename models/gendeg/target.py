"""What the diffusion produces: the degraded image's latents, or how they differ from the clean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

LEAST_MU = 0.004
"""Severity below which a difference is not enlarged any further: it is rounding by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The map between latents of degraded images and what is noised and denoised.

    `image` is the publication's: the latents themselves.

    `difference` takes the clean latents away and divides by √(mu · √(mu² + sigma²)), a severity
    between the mean and the root mean square of the difference; then each channel is standardised
    as the differences of its degradation are. What is left has mean 0 and variance 1 whatever is
    painted and how severely. That is where a network that predicts nothing is already the best
    linear denoiser, so little training goes far, and severity scales what is painted.
    """

    kind: Literal["image", "difference"] = "image"
    mean: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Of scaled differences, by degradation and channel; `difference` only."""
    deviation: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Likewise, above 0."""

    def __post_init__(self) -> None:
        """Refuse what cannot be inverted."""
        if self.kind not in ("image", "difference"):
            raise ValueError(f"target {self.kind!r}: give 'image' or 'difference'")
        if self.mean.keys() != self.deviation.keys():
            raise ValueError(
                f"target has means of {', '.join(self.mean)} and deviations of "
                f"{', '.join(self.deviation)}: give both for the same degradations"
            )
        for name, values in self.deviation.items():
            if not all(0 < value < math.inf for value in values):
                raise ValueError(f"target deviations of {name}: {values}; all must be above 0")
            if len(self.mean[name]) != len(values) or not all(map(math.isfinite, self.mean[name])):
                raise ValueError(
                    f"target means of {name}: {self.mean[name]}; give a number for each of the "
                    f"{len(values)} deviations"
                )

    @classmethod
    def measured(
        cls, lq: Tensor, clean: Tensor, mu: Tensor, sigma: Tensor, degradations: Sequence[str]
    ) -> Target:
        """The `difference` that standardises these latents (N, C, h, w)."""
        scaled = (lq - clean) / _severity(mu, sigma)
        mean, deviation = {}, {}
        for name in sorted(set(degradations)):
            rows = torch.tensor([d == name for d in degradations], device=lq.device)
            spread, middle = torch.std_mean(scaled[rows].double(), dim=(0, 2, 3), correction=0)
            mean[name] = [round(value, 5) for value in middle.tolist()]
            deviation[name] = [round(value, 5) for value in spread.clamp_min(1e-4).tolist()]
        return cls(kind="difference", mean=mean, deviation=deviation)

    def encode(
        self, lq: Tensor, clean: Tensor, mu: Tensor, sigma: Tensor, degradations: Sequence[str]
    ) -> Tensor:
        """Latents (N, C, h, w) of pairs and their severities (N,) to what is diffused."""
        if self.kind == "image":
            return lq
        mean, deviation = self._standards(degradations, lq)
        return ((lq - clean) / _severity(mu, sigma) - mean) / deviation

    def decode(
        self, target: Tensor, clean: Tensor, mu: Tensor, sigma: Tensor, degradations: Sequence[str]
    ) -> Tensor:
        """The inverse of `encode`: latents of degraded images."""
        if self.kind == "image":
            return target
        mean, deviation = self._standards(degradations, target)
        return clean + (target * deviation + mean) * _severity(mu, sigma)

    def _standards(self, degradations: Sequence[str], like: Tensor) -> tuple[Tensor, Tensor]:
        """Means and deviations (N, C, 1, 1) of the degradations asked for."""
        if unknown := sorted(set(degradations) - self.mean.keys()):
            raise ValueError(
                f"the model was not trained on {', '.join(unknown)}; it knows "
                f"{', '.join(self.mean) or 'nothing yet'}"
            )
        mean, deviation = (
            torch.tensor([list(table[d]) for d in degradations], dtype=like.dtype).to(like.device)
            for table in (self.mean, self.deviation)
        )
        return mean[:, :, None, None], deviation[:, :, None, None]


def _severity(mu: Tensor, sigma: Tensor) -> Tensor:
    mu = mu.clamp_min(LEAST_MU)
    return torch.sqrt(mu * torch.hypot(mu, sigma))[:, None, None, None]
