"""Sizes of the generator: the publication's, and the bundled model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gends.models.degradations import Structure
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.gendeg.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Configurations of all parts of one generator."""

    name: str
    unet: Mapping[str, Any]
    """Of diffusers' UNet2DConditionModel."""
    autoencoder: tuple[str, Mapping[str, Any]]
    """Class name and configuration."""
    text_encoder: Mapping[str, Any]
    """Of transformers' CLIPTextConfig; the vocabulary comes with the tokenizer where absent."""
    conditioner: Mapping[str, Any]
    """Of SeverityConditioner, less what follows from the text encoder."""
    schedule: NoiseSchedule
    sampling: SamplingSettings
    target: Target
    captions: bool
    """Whether prompts hold captions."""
    structure: Mapping[str, Structure] = field(default_factory=dict)
    """Whose structure pictures keep, by degradation; the model's where one is not named."""


GENDEG_SD15 = Preset(
    name="gendeg-sd15",
    unet={
        "sample_size": 64,
        "in_channels": 8,
        "out_channels": 4,
        "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    autoencoder=(
        "AutoencoderKL",
        {
            "sample_size": 512,
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
            "latent_channels": 4,
            "scaling_factor": 0.18215,
        },
    ),
    text_encoder={
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "projection_dim": 768,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 49407,
    },
    conditioner={},
    schedule=NoiseSchedule(),
    sampling=SamplingSettings(steps=20, text_guidance=7.5, image_guidance=1.5),
    target=Target(),
    captions=True,
)
"""Stable Diffusion 1.5's parts with eight input channels, as published."""

GENDEG_MINI = Preset(
    name="gendeg-mini",
    unet={
        "sample_size": 32,
        "in_channels": 64,
        "out_channels": 32,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (128, 160, 224),
        "layers_per_block": 1,
        "cross_attention_dim": 128,
        # diffusers' name; what it sets is the number of heads
        "attention_head_dim": 4,
        "use_linear_projection": True,
        # Pooled text and severity join the time embedding, and that scales and shifts every block:
        # severity then acts at full resolution too, where cross-attention would be dear.
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 8,
        "resnet_time_scale_shift": "scale_shift",
    },
    autoencoder=("PatchAutoencoder", {"latent_channels": 32}),
    text_encoder={
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 16,
        "projection_dim": 128,
    },
    conditioner={"severity_init": "smooth"},
    schedule=NoiseSchedule(
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    ),
    sampling=SamplingSettings(steps=8, text_guidance=1.0, image_guidance=1.0),
    target=Target(kind="difference"),
    captions=False,
    # Where severity keeps to what was asked for on the photograph's structure: docs/structure.md.
    structure={
        "haze": "photograph",
        "rain": "photograph",
        "snow": "photograph",
        "low_light": "photograph",
    },
)
"""Small enough to train on two processor cores and to ship inside the package."""

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (GENDEG_SD15, GENDEG_MINI)}


def find_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]
