"""A small tokenizer of CLIP's class, for models whose text encoder is trained from scratch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from gends.models.degradations import DEGRADATIONS

WORD_END = "</w>"
LONGEST = 10_000
"""Tokens of a prompt that any text encoder takes at most; CLIP's take 77."""
START, END = "<|startoftext|>", "<|endoftext|>"


def phrase_words() -> list[str]:
    """The different words of the degradations' phrases, sorted."""
    return sorted(
        {word for d in DEGRADATIONS.values() for word in d.phrase.replace("-", " ").split()}
    )


def build_tokenizer(words: Sequence[str], path: Path, *, length: int = 16) -> CLIPTokenizer:
    """Write vocab.json and merges.txt to `path` and load them.

    Each of `words` (lower-case letters) is one token; every other text falls apart into smaller
    pieces, at worst into bytes, so nothing is unknown.

    Args:
        words: The words that deserve a token of their own.
        path: Folder that receives the files.
        length: Tokens to pad and truncate to, start and end included.

    Raises:
        ValueError: a word has other characters, or another word's merges break it.
    """
    symbols = sorted(ByteLevel.alphabet())
    merges = _merges(words)
    names = [*symbols, *(s + WORD_END for s in symbols), *map("".join, merges), START, END]
    vocabulary = {name: index for index, name in enumerate(names)}
    path.mkdir(parents=True, exist_ok=True)
    (path / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (path / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(path, model_max_length=length)
    broken = [word for word in words if len(tokenizer(word)["input_ids"]) != 3]
    if broken:
        raise ValueError(
            f"words {broken} are split by the merges of words given before them; "
            "give them first, or leave one of each pair out"
        )
    return tokenizer


def save_tokenizer(tokenizer: CLIPTokenizer, path: Path) -> None:
    """Write what defines a tokenizer, and nothing of how it was used, to the folder `path`.

    transformers' own `save_pretrained` writes a format that its version 4 cannot read for this
    class, and with it the padding of the latest call.
    """
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.backend_tokenizer.model.save(str(path))
    tokens = ("unk_token", "bos_token", "eos_token", "pad_token")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": int(tokenizer.model_max_length),
        **{name: str(getattr(tokenizer, name)) for name in tokens},
    }
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (path / "tokenizer_config.json").write_text(text, encoding="utf-8")


def load_tokenizer(path: Path) -> CLIPTokenizer:
    """The tokenizer of the folder `path`.

    Raises:
        ValueError: its files are not there or do not fit together.
    """
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        if not (path / name).is_file():
            raise ValueError(f"{path / name} is missing: copy the model's tokenizer folder anew")
    try:
        tokenizer = cast(CLIPTokenizer, CLIPTokenizer.from_pretrained(path, local_files_only=True))
    except Exception as error:  # the library raises no narrower class for a wrong vocabulary
        raise ValueError(f"{path}: {error}; copy the model's tokenizer folder anew") from error
    length = tokenizer.model_max_length
    # Where the file says nothing the library takes a number without bounds.
    if type(length) is not int or length > LONGEST:
        raise ValueError(
            f"{path / 'tokenizer_config.json'}: model_max_length is missing or above {LONGEST}: "
            "copy the model's tokenizer folder anew"
        )
    if lost := _out_of_reach(path, set(tokenizer.all_special_tokens)):
        raise ValueError(
            f"{path / 'merges.txt'}: nothing makes {lost[0]!r} of vocab.json and {len(lost) - 1} "
            "more: copy the model's tokenizer folder anew"
        )
    return tokenizer


def _out_of_reach(path: Path, special: set[str]) -> list[str]:
    """Tokens of vocab.json that no rule of merges.txt makes: what a file cut short has lost."""
    rules = (path / "merges.txt").read_text(encoding="utf-8").splitlines()
    made = special | {"".join(rule.split()) for rule in rules}
    tokens = json.loads((path / "vocab.json").read_text(encoding="utf-8"))
    return [t for t in tokens if t not in made and len(t.removesuffix(WORD_END)) > 1]


def _merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Rules that build each word from its left end: h a, ha z, haz y</w>."""
    rules: dict[tuple[str, str], None] = {}
    for word in words:
        if not (word.isascii() and word.isalpha() and word.islower() and len(word) > 1):
            raise ValueError(f"word {word!r}: give two or more lower-case ASCII letters")
        letters = [*word[:-1], word[-1] + WORD_END]
        prefix = letters[0]
        for letter in letters[1:]:
            rules[prefix, letter] = None
            prefix += letter
    return list(rules)
