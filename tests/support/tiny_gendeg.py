"""GenDeg models of the real classes, small enough for a test."""

from __future__ import annotations

import torch

from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import GENDEG_MINI, Preset
from gends.models.gendeg.sampling.noise_schedule import NoiseSchedule
from gends.models.gendeg.sampling.settings import SamplingSettings
from gends.models.gendeg.target import Target
from gends.models.scm import StructureCorrection

_UNET = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "cross_attention_dim": 32,
    "attention_head_dim": 2,
}
_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "projection_dim": 32,
}

TINY_MINI = Preset(
    name="tiny-mini",
    unet={
        **GENDEG_MINI.unet,
        **_UNET,
        "in_channels": 8,
        "out_channels": 4,
        "addition_embed_type_num_heads": 4,
    },
    autoencoder=(
        "PatchAutoencoder",
        {
            "latent_channels": 4,
            "fine_width": 8,
            "coarse_width": 8,
            "decoder_blocks": (1, 1),
        },
    ),
    text_encoder={**_TEXT, "max_position_embeddings": 16},
    conditioner=GENDEG_MINI.conditioner,
    schedule=GENDEG_MINI.schedule,
    sampling=SamplingSettings(steps=3, text_guidance=1.0, image_guidance=1.0),
    target=Target(
        kind="difference",
        mean={name: [0.0] * 4 for name in DEGRADATIONS},
        deviation={name: [1.0] * 4 for name in DEGRADATIONS},
    ),
    captions=False,
)
TINY_SD = Preset(
    name="tiny-sd",
    unet={**_UNET, "in_channels": 8, "out_channels": 4},
    autoencoder=(
        "AutoencoderKL",
        {
            "block_out_channels": (8, 8, 8, 8),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "norm_num_groups": 4,
            "scaling_factor": 0.18215,
        },
    ),
    text_encoder={**_TEXT, "max_position_embeddings": 77},
    conditioner={},
    schedule=NoiseSchedule(),
    sampling=SamplingSettings(
        sampler="euler-ancestral", steps=3, text_guidance=7.5, image_guidance=1.5
    ),
    target=Target(),
    captions=True,
)


def tiny_model(preset: Preset, *, corrected: bool = True) -> GenDeg:
    """A model of the real classes, small enough for a test, that has something to correct."""
    model = GenDeg.build(preset, seed=0)
    if corrected:
        scm = StructureCorrection(
            width=4, encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,)
        )
        with torch.no_grad():
            scm.network.ending.bias.fill_(0.25)
        model.modules["scm"] = scm.eval()
    return model
