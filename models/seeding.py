"""Fresh weights from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initialize modules from `seed`, and leave the global generator as it was.

    Constructors of torch modules can draw from nowhere else.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
