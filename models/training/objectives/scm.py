"""What one optimizer step of the structure correction module does.

The generator is frozen. Noise is added to the lq latents at a uniformly drawn timestep, one
prediction takes them back to an estimate of the image, and the module learns to bring the decoded
estimate to the lq (GenDeg, arXiv 2411.17687).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gends.models.degradations import DEGRADATIONS
from gends.models.training.randomness import torch_generator
from gends.models.training.task import Batch, Loss

CORRECTED = tuple(name for name, d in DEGRADATIONS.items() if d.corrected)
"""The degradations whose pairs the module is to be trained on."""

Estimate = Callable[[Batch, Tensor, Tensor], Tensor]
"""(batch, timesteps (N,), noise like the latents) → the decoded one-step estimate of lq,
(N, 3, H, W) in [-1, 1]."""


def timestep_weights(alphas_cumprod: Tensor) -> Tensor:
    """√ᾱ(t-1) · √(1-ᾱ(t)) for every t, with ᾱ(-1) = 1; shape as given.

    Small where the estimate is nearly the lq already, and where it has little to do with it.
    """
    previous = torch.cat([alphas_cumprod.new_ones(1), alphas_cumprod[:-1]])
    return (previous * (1 - alphas_cumprod)).sqrt()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionLoss:
    """The loss of `gends.models.training.loop.train` for a structure correction module.

    Batches hold `clean` and `lq`, (N, 3, H, W) in [-1, 1], `degradation`, int64 (N,), an index
    into the DEGRADATIONS table, and whatever `estimate` reads.
    """

    scm: nn.Module
    estimate: Estimate
    """Called without gradients; the noise has (N, latent_channels, H / stride, W / stride)."""
    alphas_cumprod: Tensor
    """Of the generator's noise schedule, (timesteps,)."""
    latent_channels: int
    stride: int
    """Pixels per latent cell in each direction."""
    seed: int

    def __call__(self, step: int, batch: Batch) -> Loss:
        """Weighted squared error; reports the plain one before and after correction.

        Raises ValueError when the batch holds a degradation that is not to be corrected.
        """
        _refuse_uncorrected(batch["degradation"])
        clean, lq = batch["clean"], batch["lq"]
        count, _, height, width = lq.shape
        random = torch_generator(self.seed, step, "scm")
        timesteps = torch.randint(len(self.alphas_cumprod), (count,), generator=random)
        latent = (count, self.latent_channels, height // self.stride, width // self.stride)
        noise = torch.randn(latent, generator=random)
        with torch.no_grad():
            generated = self.estimate(batch, timesteps.to(lq.device), noise.to(lq.device))
        error = _squared_error(self.scm(clean, generated), lq)
        weights = timestep_weights(self.alphas_cumprod.cpu())[timesteps].to(lq.device)
        figures = {
            "mse_before": _squared_error(generated, lq).mean(),
            "mse_after": error.detach().mean(),
        }
        return (weights * error).mean(), figures


def _squared_error(image: Tensor, lq: Tensor) -> Tensor:
    """Mean squared error of each image, (N,), in float32 under autocast too."""
    return (image.float() - lq.float()).square().mean(dim=(1, 2, 3))


def _refuse_uncorrected(indices: Tensor) -> None:
    names = tuple(DEGRADATIONS)
    wrong = {names[index] for index in indices.tolist()} - set(CORRECTED)
    if wrong:
        raise ValueError(
            f"a batch holds {sorted(wrong)}, which correction would erase: "
            f"train it on {CORRECTED} only"
        )
