"""The Swin restorer of GenDeg (Rajagopalan et al., CVPR 2025, arXiv 2411.17687).

Published is: an ImageNet-pretrained Swin-B encoder; a light convolutional decoder of five blocks,
each a 3×3 convolution, ReLU, a transposed convolution and ReLU, where 3×3 kernels hide the seams of
the patches; the encoder's features at 1/16, 1/8 and 1/4 of the resolution are joined to what the
first three blocks give. Code and weights are not, so what follows is decided here:

- Decoder widths: those of the encoder's stages as far as these reach, then halved twice.
- Each stage's features go through a LayerNorm of their own, as in Swin's dense prediction networks
  (Liu et al., ICCV 2021, arXiv 2103.14030).
- A last 3×3 convolution gives RGB that is added to the input. It starts at zero, so an untrained
  restorer changes nothing.
- Inputs are normalized with ImageNet's mean and deviation before the encoder.
- No stochastic depth: training must be a function of its inputs.
- Of timm's Swin-B weights, those trained on ImageNet-22k and tuned on ImageNet-1k are taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from gends.models.restorers.padding import mirrored

PRESETS: dict[str, dict[str, Any]] = {
    "base": {},
    "tiny": {
        "embed_dim": 24,
        "depths": (1, 2, 2, 1),
        "heads": (1, 2, 4, 8),
        "window": 4,
        "decoder_widths": (64, 48, 32, 16, 16),
        "weights": None,
    },
}
"""Arguments of `SwinRestorer`: 97.72 (86.74 of them the encoder's) and 1.12 million parameters."""

MULTIPLE = 32
"""Of a side in pixels: the lowest stage has 1/32 of the resolution."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""RGB in [0, 1]."""


class SwinRestorer(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A Swin encoder, and a decoder that predicts what to add to the degraded image.

    Any image size is taken: the input is mirrored to a multiple of 32, and the output cut back.

    Args:
        embed_dim: Channels at 1/4 of the resolution; they double with every stage.
        depths: Blocks of the four stages.
        heads: Attention heads of the four stages.
        window: Side of the attention windows, in cells of a stage.
        decoder_widths: Channels after each of the five decoder blocks.
        weights: timm's name for ImageNet weights of this encoder; None where there are none.
    """

    mean: Tensor
    deviation: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        embed_dim: int = 128,
        depths: tuple[int, ...] = (2, 2, 18, 2),
        heads: tuple[int, ...] = (4, 8, 16, 32),
        window: int = 7,
        *,
        decoder_widths: tuple[int, ...] = (512, 256, 128, 64, 32),
        weights: str | None = "swin_base_patch4_window7_224.ms_in22k_ft_in1k",
    ) -> None:
        """Raises ImportError without timm, ValueError for other than 4 stages and 5 blocks."""
        super().__init__()  # type: ignore[no-untyped-call]
        if (len(depths), len(heads), len(decoder_widths)) != (4, 4, 5):
            raise ValueError(
                f"depths {depths}, heads {heads} and decoder_widths {decoder_widths}: "
                "give four, four and five numbers"
            )
        stages = [embed_dim * 2**stage for stage in range(4)]
        self.encoder = _encoder(embed_dim, depths, heads, window)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for channels in stages)
        joined = (*reversed(stages[:3]), 0, 0)
        inputs = [stages[3], *(sum(pair) for pair in zip(decoder_widths, joined, strict=True))]
        self.decoder = nn.ModuleList(
            _decoder_block(before, after)
            for before, after in zip(inputs[:-1], decoder_widths, strict=True)
        )
        self.head = nn.Conv2d(decoder_widths[-1], 3, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(cast(Tensor, self.head.bias))
        for name, values in (("mean", IMAGENET_MEAN), ("deviation", IMAGENET_DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Degraded images (N, 3, H, W), RGB in [0, 1], to restored ones, same shape, unclamped."""
        height, width = image.shape[-2:]
        normalized = (mirrored(image, MULTIPLE) - self.mean) / self.deviation
        x, *skips = reversed(self._features(normalized))
        for block, skip in zip(self.decoder, (*skips, None, None), strict=True):
            x = block(x)
            if skip is not None:
                x = torch.cat([x, skip], dim=1)
        return cast(Tensor, image + self.head(x)[..., :height, :width])

    def _features(self, x: Tensor) -> list[Tensor]:
        """Four maps (N, C, H, W), at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
        maps = self.encoder.forward_intermediates(x, intermediates_only=True)
        return [
            norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            for norm, features in zip(self.norms, maps, strict=True)
        ]

    def load_imagenet(self, file: Path | None = None) -> None:
        """Give the encoder ImageNet weights: from timm's download, or from a file of timm's own.

        Raises:
            ValueError: there are no weights for an encoder of this size.
            RuntimeError: the weights cannot be reached, or do not fit; the keys are named.
        """
        timm = _timm()
        name = self.config["weights"]
        if name is None:
            raise ValueError(
                "there are no ImageNet weights for an encoder of this size: train it from "
                f"scratch, or take the preset {next(iter(PRESETS))!r}"
            )
        overlay = {} if file is None else {"file": str(file)}
        try:
            found = timm.create_model(
                name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
            )
        except (OSError, RuntimeError) as error:
            raise RuntimeError(f"{file or name}: {error}") from error
        self.encoder.load_state_dict(_without_head(found).state_dict())


def _encoder(embed_dim: int, depths: Any, heads: Any, window: int) -> Any:
    _timm()
    from timm.models.swin_transformer import SwinTransformer  # noqa: PLC0415

    # At this size the lowest stage is one window; sizes are free where they are not strict.
    encoder = SwinTransformer(
        img_size=MULTIPLE * window,
        embed_dim=embed_dim,
        depths=tuple(depths),
        num_heads=tuple(heads),
        window_size=window,
        num_classes=0,
        strict_img_size=False,
        drop_path_rate=0.0,
    )
    return _without_head(encoder)


def _without_head(encoder: Any) -> Any:
    """All four stages, and nothing after them: what is never used gets no gradient."""
    encoder.prune_intermediate_layers([0, 1, 2, 3], prune_norm=True)
    return encoder


def _decoder_block(before: int, after: int) -> nn.Sequential:
    """Twice the side."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(after, after, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
    )


def _timm() -> Any:
    try:
        import timm  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("the Swin restorer needs timm: pip install 'gends[train]'") from error
    return timm
