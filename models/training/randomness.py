"""Random numbers as a pure function of (seed, step, purpose): nothing to store, nothing to restore.

Every random choice of step k comes from a generator made for step k alone, so a resumed run draws
what an uninterrupted one would have drawn.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch


def step_seed(seed: int, step: int, purpose: str) -> int:
    """Unsigned 64-bit seed for one purpose within one step; unrelated for any two triples."""
    # The plan derives seeds of builds otherwise (`draw_seed` in pipeline/planning/plan.py). Neither
    # can take the other's formula: trained weights, or every dataset's bytes, would be others.
    digest = blake2b(f"{seed}/{step}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def torch_generator(seed: int, step: int, purpose: str) -> torch.Generator:
    """CPU generator for tensors: the same numbers whichever device the model is on."""
    return torch.Generator("cpu").manual_seed(step_seed(seed, step, purpose))


def numpy_generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """Generator for the order of the data and for augmentation."""
    return np.random.default_rng(step_seed(seed, step, purpose))
