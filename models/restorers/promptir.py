"""PromptIR: a Restormer with learned prompts in its decoder (Potlapalli et al., NeurIPS 2023,
arXiv 2306.13090; Zamir et al., CVPR 2022, arXiv 2111.09881). Parameters are named as in the
authors' checkpoints, which load strictly but for `UNUSED`.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

from gends.models.restorers.padding import mirrored

PRESETS: dict[str, dict[str, Any]] = {
    "published": {},
    "tiny": {
        "width": 8,
        "blocks": (1, 1, 1, 2),
        "refinement_blocks": 0,
        "expansion": 2.0,
        "prompt_widths": (16, 32, 64),
        "prompt_sizes": (16, 8, 4),
    },
}
"""Arguments of `PromptIR`: 35.38 and 0.50 million parameters.

Blocks at full resolution are what costs processor time, so the tiny one has a single one there.
"""

UNUSED = frozenset(
    f"{name}{level}.weight"
    for name in ("chnl_reduce", "reduce_noise_channel_")
    for level in (1, 2, 3)
)
"""Six 1×1 convolutions (215 296 parameters) that the authors' network has and never calls.

They are in its checkpoints and make its 35.59 million parameters; here they do not exist, since
parameters without gradients stop distributed training.
"""

MULTIPLE = 8
"""Of a side in pixels: three halvings."""


class LayerNorm(nn.Module):
    """Normalizes the channels of every pixel of (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        """Scale 1 and shift 0 at the start."""
        super().__init__()
        self.body = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        normalized: Tensor = self.body(x.permute(0, 2, 3, 1))
        return normalized.permute(0, 3, 1, 2)


class ChannelAttention(nn.Module):
    """Attention between the channels of each head: its cost grows linearly with the pixels.

    Restormer's multi-Dconv head transposed attention (equation 1).
    """

    def __init__(self, channels: int, heads: int) -> None:
        """Raises ValueError when the channels cannot be shared evenly between the heads."""
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} heads")
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_dwconv = _depthwise(3 * channels)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        count, channels, height, width = x.shape
        qkv = self.qkv_dwconv(self.qkv(x))
        # (N, 3 · heads, C / heads, HW): the channels attend, the pixels are what they are made of
        split = qkv.reshape(count, 3 * self.heads, channels // self.heads, height * width)
        q, k, v = split.chunk(3, dim=1)
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        attention = ((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1)
        attended = (attention @ v).reshape(count, channels, height, width)
        return cast(Tensor, self.project_out(attended))


class GatedFeedForward(nn.Module):
    """One half of the channels gates the other: Restormer's gated-Dconv network (equation 2)."""

    def __init__(self, channels: int, expansion: float) -> None:
        """`expansion` times as many channels inside, rounded down."""
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.dwconv = _depthwise(2 * hidden)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return cast(Tensor, self.project_out(F.gelu(gate) * value))


class TransformerBlock(nn.Module):
    """Channel attention, then the feed-forward network, both residual."""

    def __init__(self, channels: int, heads: int, expansion: float) -> None:
        """Of `channels` in and out."""
        super().__init__()
        self.norm1 = LayerNorm(channels)
        self.attn = ChannelAttention(channels, heads)
        self.norm2 = LayerNorm(channels)
        self.ffn = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        x = x + self.attn(self.norm1(x))
        return cast(Tensor, x + self.ffn(self.norm2(x)))


class Resampling(nn.Module):
    """A convolution before a pixel shuffle that halves or doubles the side."""

    def __init__(self, channels: int, *, up: bool) -> None:
        """Down, to twice the channels; or up, to half of them."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels * 2 if up else channels // 2, 3, padding=1, bias=False),
            nn.PixelShuffle(2) if up else nn.PixelUnshuffle(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2C, H/2, W/2), or to (N, C/2, 2H, 2W)."""
        return cast(Tensor, self.body(x))


class Prompt(nn.Module):
    """A mixture of learned prompts, weighed by what the features say of the degradation.

    PromptIR's prompt generation module (equation 2).
    """

    def __init__(self, channels: int, *, width: int, length: int, size: int) -> None:
        """`length` prompts of `width` channels and `size` pixels a side, for `channels`."""
        super().__init__()
        self.prompt_param = nn.Parameter(torch.rand(1, length, width, size, size))
        self.linear_layer = nn.Linear(channels, length)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to a prompt (N, width, H, W)."""
        weights = self.linear_layer(x.mean(dim=(-2, -1))).softmax(dim=1)
        prompt = torch.einsum("nl,lchw->nchw", weights, self.prompt_param[0].to(weights.dtype))
        resized = F.interpolate(prompt, x.shape[-2:], mode="bilinear", align_corners=False)
        return cast(Tensor, self.conv3x3(resized))


class PromptIR(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Encoder and decoder of three levels; a prompt joins the features before each way up.

    Any image size is taken: the input is mirrored to a multiple of 8, and the output cut back.

    Args:
        width: Channels at full resolution; they double with every level.
        blocks: Transformer blocks of the levels, full resolution first, the lowest last.
        refinement_blocks: Blocks after the decoder, at full resolution and twice the width.
        heads: Of the attention, for each level. The blocks that mix the prompts in have the
            third level's, as published.
        expansion: Of the channels in the feed-forward networks.
        prompt_widths: Channels of the prompts, full resolution's decoder first.
        prompt_sizes: Their sides in pixels; they are resized to the features.
        prompt_length: Prompts to mix in each place.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913 (a size is this many numbers)
        self,
        width: int = 48,
        blocks: tuple[int, int, int, int] = (4, 6, 6, 8),
        refinement_blocks: int = 4,
        heads: tuple[int, int, int, int] = (1, 2, 4, 8),
        *,
        expansion: float = 2.66,
        prompt_widths: tuple[int, int, int] = (64, 128, 320),
        prompt_sizes: tuple[int, int, int] = (64, 32, 16),
        prompt_length: int = 5,
    ) -> None:
        """Raises ValueError when channels cannot be shared evenly between heads."""
        super().__init__()  # type: ignore[no-untyped-call]

        def chain(channels: int, heads: int, count: int) -> nn.Sequential:
            return nn.Sequential(
                *(TransformerBlock(channels, heads, expansion) for _ in range(count))
            )

        channels = [width * 2**level for level in range(4)]
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, 3, padding=1, bias=False)})
        for level in (1, 2, 3):
            here, below = channels[level - 1], channels[level]
            # The decoder's features at full resolution stay twice as wide, as published.
            above = max(here, channels[1])
            prompt = prompt_widths[level - 1]
            mixed = below + prompt
            reduced = min(below, channels[2])
            modules = {
                f"encoder_level{level}": chain(here, heads[level - 1], blocks[level - 1]),
                f"down{level}_{level + 1}": Resampling(here, up=False),
                f"prompt{level}": Prompt(
                    below, width=prompt, length=prompt_length, size=prompt_sizes[level - 1]
                ),
                f"noise_level{level}": TransformerBlock(mixed, heads[2], expansion),
                f"reduce_noise_level{level}": nn.Conv2d(mixed, reduced, 1, bias=False),
                f"up{level + 1}_{level}": Resampling(reduced, up=True),
                f"decoder_level{level}": chain(above, heads[level - 1], blocks[level - 1]),
            }
            if level > 1:
                joined = reduced // 2 + here
                modules[f"reduce_chan_level{level}"] = nn.Conv2d(joined, here, 1, bias=False)
            for name, module in modules.items():
                self.add_module(name, module)
        self.latent = chain(channels[3], heads[3], blocks[3])
        self.refinement = chain(channels[1], heads[0], refinement_blocks)
        self.output = nn.Conv2d(channels[1], 3, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """Degraded images (N, 3, H, W), RGB in [0, 1], to restored ones, same shape, unclamped."""
        height, width = image.shape[-2:]
        padded = mirrored(image, MULTIPLE)
        x = self.patch_embed["proj"](padded)
        skips: list[Tensor] = []
        for level in (1, 2, 3):
            x = self._part(f"encoder_level{level}", x)
            skips.append(x)
            x = self._part(f"down{level}_{level + 1}", x)
        x = self.latent(x)
        for level in (3, 2, 1):
            prompted = torch.cat([x, self._part(f"prompt{level}", x)], dim=1)
            x = self._part(f"noise_level{level}", prompted)
            x = self._part(f"reduce_noise_level{level}", x)
            x = torch.cat([self._part(f"up{level + 1}_{level}", x), skips.pop()], dim=1)
            if level > 1:
                x = self._part(f"reduce_chan_level{level}", x)
            x = self._part(f"decoder_level{level}", x)
        restored = self.output(self.refinement(x)) + padded
        return cast(Tensor, restored[..., :height, :width])

    def _part(self, name: str, x: Tensor) -> Tensor:
        return cast(Tensor, self.get_submodule(name)(x))


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
