"""The structure correction module: moves a generated image back onto its clean photograph's edges.

A latent diffusion model redraws fine structure (faces, text, leaves). This module sees the clean
photograph and the generated image and predicts what to add to the latter. Architecture of the
GenDeg authors (arXiv 2411.17687): NAFNet on six channels.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from gends.models.restorers.nafnet import NAFNet

PRESETS: dict[str, dict[str, Any]] = {
    "published": {
        "width": 64,
        "encoder_blocks": (2, 2, 4, 8),
        "middle_blocks": 12,
        "decoder_blocks": (2, 2, 2, 2),
    },
    "width32": {
        "width": 32,
        "encoder_blocks": (2, 2, 4, 8),
        "middle_blocks": 12,
        "decoder_blocks": (2, 2, 2, 2),
    },
    "mini": {
        "width": 16,
        "encoder_blocks": (1, 1, 1, 1),
        "middle_blocks": 1,
        "decoder_blocks": (1, 1, 1, 1),
    },
}
"""Arguments of `StructureCorrection`: 116.0, 29.2 and 1.2 million parameters."""


class StructureCorrection(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """corrected = generated + NAFNet([clean, generated]); the identity until it is trained.

    Args:
        width: Channels at full resolution.
        encoder_blocks: Blocks per level, full resolution first.
        middle_blocks: Blocks at the lowest resolution.
        decoder_blocks: Blocks per level, lowest resolution first.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        width: int = 64,
        encoder_blocks: tuple[int, ...] = (2, 2, 4, 8),
        middle_blocks: int = 12,
        decoder_blocks: tuple[int, ...] = (2, 2, 2, 2),
    ) -> None:
        """Build the network; its last convolution starts at zero."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.network = NAFNet(
            width,
            encoder_blocks,
            middle_blocks,
            decoder_blocks,
            in_channels=6,
            out_channels=3,
            global_residual=False,
        )
        for parameter in self.network.ending.parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def from_preset(cls, name: str) -> StructureCorrection:
        """An untrained module of one of the `PRESETS`. Raises ValueError for another name."""
        if name not in PRESETS:
            raise ValueError(
                f"no structure correction preset {name!r}; choose from {list(PRESETS)}"
            )
        return cast(StructureCorrection, cls(**PRESETS[name]))

    def forward(self, clean: Tensor, generated: Tensor) -> Tensor:
        """Both (N, 3, H, W) in [-1, 1] to the corrected image, same shape, not clamped."""
        correction = self.network(torch.cat([clean, generated], dim=1))
        return cast(Tensor, generated + correction)
