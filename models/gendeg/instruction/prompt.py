"""What the generator is told in words, and its encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from gends.models.cache import Cache
from gends.models.degradations import DEGRADATIONS

KEPT = 256
"""Prompts with captions whose text states are remembered: 60 MB at full size."""
_ALWAYS_KEPT = frozenset(("", *(d.phrase for d in DEGRADATIONS.values())))


def phrase_of(degradation: str) -> str:
    """The words that ask for a degradation.

    Raises:
        ValueError: unknown degradation.
    """
    if degradation not in DEGRADATIONS:
        raise ValueError(
            f"unknown degradation {degradation!r}; known are {', '.join(DEGRADATIONS)}"
        )
    return DEGRADATIONS[degradation].phrase


def compose_prompt(degradation: str, caption: str | None = None) -> str:
    """'<caption>, <phrase>', or the phrase alone."""
    phrase = phrase_of(degradation)
    return f"{caption.strip()}, {phrase}" if caption and caption.strip() else phrase


class PromptTokenizer:
    """Token ids of prompts at one length, where a long caption gives way to the phrase.

    Args:
        tokenizer: CLIP's, or one of its class; its `model_max_length` is the length.
        captions: Whether the model was trained with captions. Where not, they are left out.
    """

    def __init__(self, tokenizer: CLIPTokenizer, *, captions: bool = True) -> None:
        """Tokenize the empty prompt, which guidance and dropout need."""
        self.tokenizer = tokenizer
        self.captions = captions
        self.length = int(tokenizer.model_max_length)
        self.null = self.ids([""])

    def ids(self, texts: Sequence[str]) -> Tensor:
        """int64 (N, length), padded; what is too long is cut at its end."""
        encoded = self.tokenizer(
            list(texts),
            padding="max_length",
            max_length=self.length,
            truncation=True,
            return_tensors="pt",
        )
        return torch.as_tensor(encoded["input_ids"])

    def prompt(self, degradation: str, caption: str | None = None) -> str:
        """The prompt, its caption shortened by whole words from the end until all of it fits."""
        words = (caption or "").split()[: self.length] if self.captions else []
        while words:
            prompt = compose_prompt(degradation, " ".join(words))
            if len(self.tokenizer(prompt, verbose=False)["input_ids"]) <= self.length:
                return prompt
            words.pop()
        return compose_prompt(degradation)


class PromptEncoder:
    """Text states of prompts, computed once while a prompt is remembered.

    The empty prompt and the degradations' phrases always are, of others the `KEPT` last ones.
    The text encoder's weights are read when a prompt is first met: make a new one after training.
    """

    def __init__(self, tokenizer: PromptTokenizer, text_encoder: CLIPTextModel) -> None:
        """Begin with nothing encoded."""
        self.tokenizer = tokenizer
        self.text_encoder = text_encoder
        self._always: Cache[Tensor] = Cache(len(_ALWAYS_KEPT))
        self._recent: Cache[Tensor] = Cache(KEPT)

    @torch.inference_mode()
    def states(self, prompts: Sequence[str]) -> Tensor:
        """(N, length, width), on the text encoder's device. The empty prompt is the null text."""
        return torch.stack([self._remembered(prompt) for prompt in prompts])

    def _remembered(self, prompt: str) -> Tensor:
        memory = self._always if prompt in _ALWAYS_KEPT else self._recent
        return memory.get(prompt, lambda: self._encode(prompt))

    def _encode(self, prompt: str) -> Tensor:
        """(length, width)."""
        ids = self.tokenizer.ids([prompt]).to(self.text_encoder.device)
        return cast(Tensor, self.text_encoder(input_ids=ids).last_hidden_state[0])
