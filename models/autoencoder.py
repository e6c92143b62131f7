"""The autoencoder of gendeg-mini, and one view of it and Stable Diffusion's for the generator."""

from __future__ import annotations

from typing import TypeAlias, cast

import torch
from diffusers import AutoencoderKL
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8
"""Pixels per latent in each direction."""


class ResidualBlock(nn.Module):
    """x + conv(silu(conv(x))), the identity at the start of training; no normalisation, no bias."""

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


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """A linear transform of 8×8 patches, and convolutions that learn what it leaves out.

    Latents are `analysis(x)`, a linear map of each patch, plus a convolutional correction; images
    are `synthesis(z)` plus another. The linear pair can be set to a principal component transform
    of real patches (`gends.models.training.autoencoder.initialise`), which alone reconstructs
    photographs at 27 dB with 16 channels; both corrections start at zero.

    Encoding is deterministic. `latent_mean` and `latent_std`, one value per channel, standardise
    latents for diffusion; they are stored with the weights and are 0 and 1 until measured.

    Args:
        latent_channels: Channels of the latents.
        fine_width: Channels of the convolutions at 1/4 of the resolution.
        coarse_width: Channels of the convolutions at 1/8 of the resolution.
        encoder_blocks: Residual blocks of the encoder at 1/4 and at 1/8.
        decoder_blocks: Residual blocks of the decoder at 1/8 and at 1/4.
    """

    latent_mean: Tensor
    latent_std: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 16,
        fine_width: int = 64,
        coarse_width: int = 128,
        encoder_blocks: tuple[int, int] = (2, 2),
        decoder_blocks: tuple[int, int] = (3, 3),
    ) -> None:
        super().__init__()
        self.analysis = nn.Conv2d(3, latent_channels, STRIDE, STRIDE)
        self.synthesis = nn.ConvTranspose2d(latent_channels, 3, STRIDE, STRIDE)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, fine_width, 3, padding=1),
            *_blocks(fine_width, encoder_blocks[0]),
            nn.Conv2d(fine_width, coarse_width, 2, 2),
            *_blocks(coarse_width, encoder_blocks[1]),
            nn.Conv2d(coarse_width, latent_channels, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_channels, coarse_width, 3, padding=1),
            *_blocks(coarse_width, decoder_blocks[0]),
            nn.ConvTranspose2d(coarse_width, fine_width, 2, 2),
            *_blocks(fine_width, decoder_blocks[1]),
            nn.Conv2d(fine_width, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )
        for last in (self.encoder[-1], self.decoder[-2]):
            nn.init.zeros_(cast(Tensor, last.weight))
            nn.init.zeros_(cast(Tensor, last.bias))
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_std", torch.ones(latent_channels))

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [-1, 1] to raw latents (N, latent_channels, H/8, W/8).

        Raises:
            ValueError: H or W is not a multiple of 8.
        """
        height, width = x.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(
                f"image of {height}×{width} pixels (height × width): both must be multiples of "
                f"{STRIDE}; crop, pad or resize it first"
            )
        return cast(Tensor, self.analysis(x) + self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Raw latents (N, latent_channels, h, w) to images (N, 3, 8h, 8w), not clamped."""
        return cast(Tensor, self.synthesis(z) + self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of images (N, 3, H, W) in [-1, 1], not clamped."""
        return self.decode(self.encode(x))

    def standardise(self, z: Tensor) -> Tensor:
        """Raw latents to latents of zero mean and unit deviation in each channel."""
        return (z - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def restore(self, z: Tensor) -> Tensor:
        """Inverse of `standardise`."""
        return z * self.latent_std[:, None, None] + self.latent_mean[:, None, None]


Autoencoder: TypeAlias = PatchAutoencoder | AutoencoderKL


def condition_latents(autoencoder: Autoencoder, x: Tensor) -> Tensor:
    """Latents of clean images (N, 3, H, W) in [-1, 1], as the generator is conditioned on them.

    Stable Diffusion's: the posterior mode, unscaled, as InstructPix2Pix has it. Ours: standardised.
    """
    if isinstance(autoencoder, PatchAutoencoder):
        return autoencoder.standardise(autoencoder.encode(x))
    return cast(Tensor, autoencoder.encode(x).latent_dist.mode())


def target_latents(
    autoencoder: Autoencoder,
    x: Tensor,
    generator: torch.Generator | list[torch.Generator] | None = None,
) -> Tensor:
    """Latents of images (N, 3, H, W) in [-1, 1], as the generator learns to produce them.

    Stable Diffusion's: a posterior sample, scaled; `generator` (one, or one per image) draws it.
    Ours: standardised, nothing is drawn.
    """
    if isinstance(autoencoder, PatchAutoencoder):
        return autoencoder.standardise(autoencoder.encode(x))
    sample = autoencoder.encode(x).latent_dist.sample(generator)
    return cast(Tensor, sample * autoencoder.config.scaling_factor)


def decode_latents(autoencoder: Autoencoder, z: Tensor) -> Tensor:
    """Images (N, 3, H, W), nominally in [-1, 1] and not clamped, of what `target_latents` gives."""
    if isinstance(autoencoder, PatchAutoencoder):
        return autoencoder.decode(autoencoder.restore(z))
    return cast(Tensor, autoencoder.decode(z / autoencoder.config.scaling_factor).sample)
