"""Numbers that a process and its loader workers see alike, persistent workers too."""

from __future__ import annotations

import torch


def shared_numbers(*values: int) -> torch.Tensor:
    """An int64 tensor of these values in memory that workers share, forked or spawned."""
    numbers = torch.tensor(values, dtype=torch.int64)
    numbers.share_memory_()  # type: ignore[no-untyped-call]
    return numbers
