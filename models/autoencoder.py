"""The autoencoder of gendeg-mini, and one view of it and Stable Diffusion's for the generator."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8
"""Pixels per latent in each direction."""


class ResidualBlock(nn.Module):
    """x + conv(silu(conv(x))), the identity at the start of training; no normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(width, width, 3, padding=1)
        self.project = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(cast(Tensor, self.project.bias))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to the same."""
        return x + cast(Tensor, self.project(F.silu(self.expand(x))))


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(count)]


class PatchAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]  # both have config_name
    """Latents are principal components of 8×8 patches; a convolutional decoder adds what it can.

    Encoding is linear and deterministic, so it is learnt in one pass over patches
    (`gends.models.training.objectives.autoencoder.initialize`) and a generator can train on the
    latents while the decoder is still learning. Images are `synthesis(z)`, the inverse transform,
    plus a correction that starts at zero: 32 components alone reconstruct photographs at 30 dB.

    Latents are centred and half-whitened: the deviation of a component is the square root of what
    it is in the image, up to a common factor that makes the overall variance 1. Whitened wholly, a
    generator's loss would weigh the faintest texture as much as the tone of the image; not at all,
    tone would be all it sees.

    Args:
        latent_channels: Components kept, of 192.
        fine_width: Channels of the decoder's convolutions at 1/4 of the resolution.
        coarse_width: Channels of its convolutions at 1/8 of the resolution.
        decoder_blocks: Its residual blocks at 1/8 and at 1/4.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 32,
        fine_width: int = 64,
        coarse_width: int = 128,
        decoder_blocks: tuple[int, int] = (3, 3),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.analysis = nn.Conv2d(3, latent_channels, STRIDE, STRIDE)
        self.synthesis = nn.ConvTranspose2d(latent_channels, 3, STRIDE, STRIDE)
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, coarse_width, 3, padding=1),
            *_blocks(coarse_width, decoder_blocks[0]),
            nn.ConvTranspose2d(coarse_width, fine_width, 2, 2),
            *_blocks(fine_width, decoder_blocks[1]),
            nn.Conv2d(fine_width, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )
        last = self.decoder[-2]
        nn.init.zeros_(cast(Tensor, last.weight))
        nn.init.zeros_(cast(Tensor, last.bias))

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to latents (N, latent_channels, H/8, W/8).

        Raises:
            ValueError: H or W is not a multiple of 8.
        """
        height, width = x.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(
                f"image of {height}×{width} pixels (height × width): both must be multiples of "
                f"{STRIDE}; crop, pad or resize it first"
            )
        return cast(Tensor, self.analysis(x))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, latent_channels, h, w) to images (N, 3, 8h, 8w), not clamped."""
        return cast(Tensor, self.synthesis(z) + self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of images (N, 3, H, W) in [-1, 1], not clamped."""
        return self.decode(self.encode(x))


Autoencoder: TypeAlias = PatchAutoencoder | AutoencoderKL


def condition_latents(autoencoder: Autoencoder, x: Tensor) -> Tensor:
    """Latents of clean images (N, 3, H, W) in [-1, 1], as the generator is conditioned on them.

    Stable Diffusion's: the posterior mode, unscaled, as InstructPix2Pix has it. Ours: as encoded.
    """
    if isinstance(autoencoder, PatchAutoencoder):
        return cast(Tensor, autoencoder.encode(x))
    kl: Any = autoencoder
    return cast(Tensor, kl.encode(x).latent_dist.mode())


def target_latents(
    autoencoder: Autoencoder,
    x: Tensor,
    generator: torch.Generator | list[torch.Generator] | None = None,
) -> Tensor:
    """Latents of images (N, 3, H, W) in [-1, 1], as the generator learns to produce them.

    Stable Diffusion's: a posterior sample, scaled; `generator` (one, or one per image) draws it.
    Ours: as encoded, nothing is drawn.
    """
    if isinstance(autoencoder, PatchAutoencoder):
        return cast(Tensor, autoencoder.encode(x))
    kl: Any = autoencoder
    return cast(Tensor, kl.encode(x).latent_dist.sample(generator) * kl.config.scaling_factor)


def decode_latents(autoencoder: Autoencoder, z: Tensor) -> Tensor:
    """Images (N, 3, H, W), nominally in [-1, 1] and not clamped, of what `target_latents` gives."""
    if isinstance(autoencoder, PatchAutoencoder):
        return cast(Tensor, autoencoder.decode(z))
    kl: Any = autoencoder
    return cast(Tensor, kl.decode(z / kl.config.scaling_factor).sample)
