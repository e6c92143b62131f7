"""The tree and the captions that DA-CLIP (arXiv 2310.01018) trains from."""

from __future__ import annotations

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fpng

from gends.pipeline.export.pair import Pair
from gends.pipeline.export.vocabulary import DACLIP_WORDS, word_of
from gends.pipeline.format.decode import decode
from gends.pipeline.reading.reader import PAIR

READABLE = ("png", "jpg")
"""Suffixes that its listing of folders knows; the others are re-encoded as PNG, without loss."""
_SPLIT = re.compile(r"[A-Za-z0-9_-]{1,100}")


def write_daclip(pairs: Iterable[Pair], folder: Path, out: Path) -> list[str]:
    """Write SPLIT/WORD/{GT,LQ}/KEY.png, and daclip_SPLIT.csv for pairs with a caption.

    DA-CLIP pairs by sorted listing: both folders hold the same names. The file of captions is
    separated by tabs whatever its name says, with columns `filepath` (of the degraded picture) and
    `title`: the clean picture's caption, a colon, a space, the word. Training splits a title at
    every colon with a space, so those within captions become commas. Paths begin with `out`, made
    absolute: they are opened as they stand.

    Raises:
        ValueError: a degradation for which DA-CLIP has no word, or a split that names no folder.
    """
    words, mute = Counter[str](), 0
    with contextlib.ExitStack() as files:
        captions: dict[str, Any] = {}
        for pair in pairs:
            split, word = _split(pair), _word(pair)
            words[word] += 1
            path = _write(pair, folder, f"{split}/{word}")
            if not (caption := plain(pair.row["caption"] or "")):
                mute += 1
                continue
            if split not in captions:
                name = folder / f"daclip_{split}.csv"
                file = files.enter_context(open(name, "w", encoding="utf-8", newline=""))
                captions[split] = csv.writer(file, delimiter="\t", lineterminator="\n")
                captions[split].writerow(["filepath", "title"])
            captions[split].writerow([str(out.absolute() / path), f"{caption}: {word}"])
    notes = [f"options: distortion: [{', '.join(sorted(words))}]"]
    if mute:
        notes.append(f"{mute} pairs have no caption and are in no .csv, only in the tree")
    return notes


def plain(caption: str) -> str:
    """A caption in one line, without what DA-CLIP splits titles at."""
    return " ".join(caption.split()).replace(": ", ", ").removesuffix(":")


def _write(pair: Pair, folder: Path, place: str) -> str:
    readable = pair.suffix in READABLE
    name = f"{pair.key}.{pair.suffix if readable else 'png'}"
    for part, shown in zip(PAIR, ("GT", "LQ"), strict=True):
        data = getattr(pair, part)
        path = folder / place / shown / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if readable else bytes(fpng.from_ndarray(decode(data))))
    return f"{place}/LQ/{name}"


def _word(pair: Pair) -> str:
    try:
        return word_of(DACLIP_WORDS, pair.degradation, pair.row["steps"], "DA-CLIP")
    except ValueError as error:
        raise ValueError(
            f"{pair.key}: {error}; choose others with --degradation: {', '.join(DACLIP_WORDS)}"
        ) from error


def _split(pair: Pair) -> str:
    split = pair.row["split"] or ""
    if not _SPLIT.fullmatch(split):
        raise ValueError(f"{pair.key}: its split {split!r} names no folder; leave it out: --split")
    return str(split)
