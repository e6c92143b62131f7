"""Seeds of random choices: each a function of the build's seed and of what it is for."""

from __future__ import annotations

from blake3 import blake3


def draw_seed(seed: int, *parts: str | int) -> int:
    """A seed below 2**63 from the build's seed and what the choice is for.

    Programs that read the JSON members (Hugging Face datasets for one) hold integers in 64 bits
    with a sign.
    """
    text = "\x00".join(map(str, (seed, *parts)))
    return int.from_bytes(blake3(text.encode()).digest(8), "big") >> 1
