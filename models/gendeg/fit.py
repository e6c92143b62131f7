"""Whether the parts of a model fit each other."""

from __future__ import annotations

from typing import Any, cast

from gends.models.gendeg.parts import Parts


def misfit(parts: Parts) -> str | None:
    """Which number of a model's folder is not what another part makes of it, if one is not.

    Files are named relative to the folder. Weights alone do not show it: each part is whole.
    """
    unet, vae, text, conditioner = (
        cast(Any, part).config
        for part in (parts.unet, parts.autoencoder, parts.text_encoder, parts.conditioner)
    )
    length = parts.tokenizer.model_max_length
    channels = ("latent_channels of vae/config.json", vae.latent_channels)
    width = ("hidden_size of text_encoder/config.json", text.hidden_size)
    tokens = ("max_position_embeddings of text_encoder/config.json", text.max_position_embeddings)
    numbers = [
        ("unet/config.json: in_channels", unet.in_channels, 2, channels),
        ("unet/config.json: out_channels", unet.out_channels, 1, channels),
        ("unet/config.json: cross_attention_dim", unet.cross_attention_dim, 1, width),
        ("conditioner/config.json: width", conditioner.width, 1, width),
        ("conditioner/config.json: tokens", conditioner.tokens, 1, tokens),
        ("tokenizer/tokenizer_config.json: model_max_length", length, 1, tokens),
    ]
    numbers += [
        (f"model_index.json: length of target.deviation.{degradation}", len(values), 1, channels)
        for degradation, values in parts.target.deviation.items()
    ]
    largest = max(parts.tokenizer.get_vocab().values())
    if largest >= text.vocab_size:
        return (
            f"tokenizer/vocab.json: its largest id is {largest}; vocab_size of "
            f"text_encoder/config.json is {text.vocab_size}"
        )
    for name, value, times, (source, number) in numbers:
        if value != times * number:
            return f"{name} is {value}; {times * number} fits {source}, {number}"
    return None
