from __future__ import annotations

import pytest
import torch

from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.instruction.prompt import (
    KEPT,
    PromptEncoder,
    PromptTokenizer,
    compose_prompt,
)
from gends.models.gendeg.model import GenDeg


def test_prompt_is_caption_and_phrase():
    assert compose_prompt("haze", "a street") == "a street, in hazy conditions"
    assert compose_prompt("low_light") == compose_prompt("low_light", "  ")


def test_unknown_degradation_names_the_known():
    with pytest.raises(ValueError, match=r"raindrops.*raindrop"):
        compose_prompt("raindrops")


def test_a_long_caption_gives_way_to_the_phrase(tiny_sd: GenDeg):
    tokenizer = PromptTokenizer(tiny_sd.tokenizer)
    prompt = tokenizer.prompt("rain", "rainy " * 100)
    assert prompt.endswith("rainy, in rainy conditions")
    (ids,) = tokenizer.ids([prompt])
    assert ids[-1] == tiny_sd.tokenizer.eos_token_id
    decoded = tiny_sd.tokenizer.decode(ids, skip_special_tokens=True)
    assert decoded.replace(" ,", ",") == prompt


def test_captions_are_left_out_where_the_model_knows_none(tiny_mini: GenDeg):
    tokenizer = tiny_mini.prompt_tokenizer
    assert tokenizer.prompt("snow", "a street") == DEGRADATIONS["snow"].phrase


def test_ids_have_one_length(tiny_mini: GenDeg):
    ids = tiny_mini.prompt_tokenizer.ids(["", "in hazy conditions", "word " * 40])
    assert ids.shape == (3, 16)
    assert ids.dtype == torch.int64
    torch.testing.assert_close(ids[:1], tiny_mini.prompt_tokenizer.null)


def test_each_prompt_is_encoded_once(tiny_mini: GenDeg):
    encoder = PromptEncoder(tiny_mini.prompt_tokenizer, tiny_mini.text_encoder)
    rows: list[int] = []
    handle = tiny_mini.text_encoder.register_forward_hook(lambda *_: rows.append(1))
    first = encoder.states(["in hazy conditions", "", "in hazy conditions"])
    second = encoder.states(["", "in rainy conditions"])
    handle.remove()
    assert len(rows) == 3
    assert torch.equal(first[0], first[2])
    assert torch.equal(first[1], second[0])
    assert not torch.equal(first[0], second[1])


def test_only_the_last_captions_are_remembered_and_every_phrase(tiny_mini: GenDeg):
    encoder = PromptEncoder(tiny_mini.prompt_tokenizer, tiny_mini.text_encoder)
    encoded: list[int] = []

    def encoded_again(prompts: list[str]) -> int:
        encoded.clear()
        encoder.states(prompts)
        return len(encoded)

    handle = tiny_mini.text_encoder.register_forward_hook(lambda *_: encoded.append(1))
    phrases = ["", *(d.phrase for d in DEGRADATIONS.values())]
    assert encoded_again(phrases) == len(phrases)
    captions = [f"a street with {count} people" for count in range(KEPT + 1)]
    assert encoded_again(captions) == KEPT + 1
    assert encoded_again(captions[1:]) == 0
    assert encoded_again(captions[:1]) == 1
    assert encoded_again(phrases) == 0
    handle.remove()


def test_more_prompts_than_are_remembered_come_back_in_order(tiny_mini: GenDeg):
    encoder = PromptEncoder(tiny_mini.prompt_tokenizer, tiny_mini.text_encoder)
    captions = [f"{count}" for count in range(KEPT + 3)]
    states = encoder.states(captions)
    assert states.shape == (KEPT + 3, 16, 32)
    alone = PromptEncoder(tiny_mini.prompt_tokenizer, tiny_mini.text_encoder)
    assert torch.equal(states[0], alone.states(["0"])[0])
