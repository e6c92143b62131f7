"""Freshly initialized parts of a generator."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gends.models.autoencoder import Autoencoder, PatchAutoencoder
from gends.models.gendeg.instruction.conditioning import SeverityConditioner
from gends.models.gendeg.instruction.tokenizer import build_tokenizer, phrase_words
from gends.models.gendeg.parts import Modules, Parts
from gends.models.gendeg.presets import Preset
from gends.models.seeding import seeded

AUTOENCODERS: dict[str, type[Autoencoder]] = {
    "AutoencoderKL": AutoencoderKL,
    "PatchAutoencoder": PatchAutoencoder,
}


def build_parts(preset: Preset, seed: int, tokenizer: CLIPTokenizer | None = None) -> Parts:
    """All parts of a generator but structure correction, with weights drawn from `seed`.

    Raises:
        ValueError: the tokenizer is needed (`preset_tokenizer`) or does not fit.
    """
    vocabulary = tokenizer or preset_tokenizer(preset)
    with seeded(seed):
        modules: Modules = {
            "unet": build_unet(preset),
            "vae": cast(nn.Module, build_autoencoder(preset)),
            "text_encoder": build_text_encoder(preset, vocabulary),
            "conditioner": build_conditioner(preset),
        }
    return Parts(
        modules=modules,
        tokenizer=vocabulary,
        schedule=preset.schedule,
        sampling=preset.sampling,
        target=preset.target,
        captions=preset.captions,
        structure=preset.structure,
    )


def build_unet(preset: Preset) -> UNet2DConditionModel:
    """The generator's network: input (N, 2C, h, w), noisy target latents then clean ones."""
    unet: UNet2DConditionModel = UNet2DConditionModel(**preset.unet)
    return unet


def build_autoencoder(preset: Preset) -> Autoencoder:
    """Between images and latents of an eighth of their size."""
    name, config = preset.autoencoder
    autoencoder: Autoencoder = AUTOENCODERS[name](**config)
    return autoencoder


def preset_tokenizer(preset: Preset) -> CLIPTokenizer:
    """The small tokenizer of a preset that has no vocabulary of its own.

    Raises:
        ValueError: the preset has CLIP's vocabulary, which comes with CLIP's weights.
    """
    if "vocab_size" in preset.text_encoder:
        raise ValueError(f"{preset.name} needs the tokenizer of CLIP ViT-L/14: pass tokenizer=")
    length = preset.text_encoder["max_position_embeddings"]
    with TemporaryDirectory() as folder:
        return build_tokenizer(phrase_words(), Path(folder), length=length)


def build_text_encoder(preset: Preset, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """CLIP's text transformer in the preset's size.

    Raises:
        ValueError: the tokenizer's length or vocabulary does not fit the preset.
    """
    vocabulary = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPTextConfig(**{**vocabulary, **preset.text_encoder})
    if tokenizer.model_max_length != config.max_position_embeddings:
        raise ValueError(
            f"the tokenizer pads to {tokenizer.model_max_length} tokens, {preset.name}'s text "
            f"encoder has {config.max_position_embeddings} positions: give them one length"
        )
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"the tokenizer knows {len(tokenizer)} tokens, {preset.name}'s text encoder "
            f"{config.vocab_size}: give the tokenizer of that model"
        )
    return CLIPTextModel(config)


def build_conditioner(preset: Preset) -> SeverityConditioner:
    """Severity conditioning as wide and as long as the text encoder's states."""
    text = preset.text_encoder
    sizes = {"width": text["hidden_size"], "tokens": text["max_position_embeddings"]}
    conditioner: SeverityConditioner = SeverityConditioner(**sizes, **preset.conditioner)
    return conditioner
