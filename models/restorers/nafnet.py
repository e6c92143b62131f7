"""NAFNet: a U-shaped restorer without nonlinear activations (Chen et al., ECCV 2022,
arXiv 2204.04676). Parameters are named as in the authors' checkpoints, which load strictly.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

_SIDD = {"encoder_blocks": (2, 2, 4, 8), "middle_blocks": 12, "decoder_blocks": (2, 2, 2, 2)}
_GOPRO = {"encoder_blocks": (1, 1, 1, 28), "middle_blocks": 1, "decoder_blocks": (1, 1, 1, 1)}

PRESETS: dict[str, dict[str, Any]] = {
    "w32": {"width": 32, **_SIDD},
    "w64": {"width": 64, **_SIDD},
    "w32-gopro": {"width": 32, **_GOPRO},
    "w64-gopro": {"width": 64, **_GOPRO},
    "tiny": {
        "width": 16,
        "encoder_blocks": (1, 1, 1),
        "middle_blocks": 1,
        "decoder_blocks": (1, 1, 1),
    },
}
"""Arguments of `NAFNet`: 29.16, 115.98, 17.11, 67.89 and 0.29 million parameters.

The published sizes are named by width; with `-gopro` they are those trained to remove motion blur
(GoPro), without it those trained to remove noise (SIDD). The authors judge the former as
NAFNetLocal, which pools over windows at test time; weights and network are the same but for that.
"""


class LayerNorm2d(nn.LayerNorm):
    """Normalizes the channels of every pixel of (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        """Scale 1 and shift 0 at the start."""
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """One half of the channels times the other: the network's only nonlinearity."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2C, H, W) to (N, C, H, W)."""
        first, second = x.chunk(2, dim=1)
        return first * second


class NafBlock(nn.Module):
    """Two residual branches, spatial then channel-wise, with scales that start at zero.

    7 c² + 33 c parameters for c channels.
    """

    def __init__(self, channels: int) -> None:
        """Of `channels` in and out; each branch is twice as wide inside."""
        super().__init__()
        wide = 2 * channels
        self.norm1 = LayerNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.norm2 = LayerNorm2d(channels)
        self.conv4 = nn.Conv2d(channels, wide, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.gate = SimpleGate()
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        spatial = self.gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.beta * self.conv3(spatial * self.sca(spatial))
        channelwise: Tensor = self.conv5(self.gate(self.conv4(self.norm2(x))))
        return x + self.gamma * channelwise


class NAFNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Encoder, middle and decoder of `NafBlock`s with additive skips.

    Channels double and the side halves with every level of `encoder_blocks`. Any image size is
    taken: the input is padded with zeros to a multiple of 2^levels and the output cut back.

    Args:
        width: Channels at full resolution.
        encoder_blocks: Blocks per level, full resolution first.
        middle_blocks: Blocks at the lowest resolution.
        decoder_blocks: Blocks per level, lowest resolution first.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        global_residual: Whether the input is added to the output; both must be equally wide.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        width: int,
        encoder_blocks: tuple[int, ...],
        middle_blocks: int,
        decoder_blocks: tuple[int, ...],
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        global_residual: bool = True,
    ) -> None:
        """Raises ValueError for uneven levels, or a residual between unequal channels."""
        super().__init__()  # type: ignore[no-untyped-call]
        if len(encoder_blocks) != len(decoder_blocks):
            raise ValueError(
                f"encoder_blocks {encoder_blocks} and decoder_blocks {decoder_blocks} differ in "
                "length: give one number per level to both"
            )
        if global_residual and in_channels != out_channels:
            raise ValueError(
                f"{in_channels} input channels cannot be added to {out_channels} output channels: "
                "switch global_residual off"
            )
        self.global_residual = global_residual
        self.multiple = 2 ** len(encoder_blocks)
        widths = [width * 2**level for level in range(len(encoder_blocks))]
        deepest = width * self.multiple
        self.intro = nn.Conv2d(in_channels, width, 3, padding=1)
        self.encoders = nn.ModuleList(
            _blocks(c, count) for c, count in zip(widths, encoder_blocks, strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.middle_blks = _blocks(deepest, middle_blocks)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2))
            for c in reversed(widths)
        )
        self.decoders = nn.ModuleList(
            _blocks(c, count) for c, count in zip(reversed(widths), decoder_blocks, strict=True)
        )
        self.ending = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W), any value range."""
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % self.multiple, 0, -height % self.multiple))
        x = self.intro(padded)
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        x = self.ending(x)
        if self.global_residual:
            x = x + padded
        return cast(Tensor, x[..., :height, :width])


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NafBlock(channels) for _ in range(count)))
