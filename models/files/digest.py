"""Names what is in a folder of weights."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

SUFFIXES = (".json", ".txt", ".safetensors")
"""Configurations, vocabularies and weights: what decides a model's output."""


def digest_folder(folder: Path) -> str:
    """BLAKE3 of the names and contents of a part's files, as stored."""
    hasher = blake3()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in SUFFIXES:
            hasher.update(path.relative_to(folder).as_posix().encode() + b"\0")
            hasher.update_mmap(path)
    return hasher.hexdigest()
