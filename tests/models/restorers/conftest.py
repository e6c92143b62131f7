"""Restorers with deterministic weights, none of them at its neutral start."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


def _fill(module: nn.Module) -> nn.Module:
    for name, parameter in module.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        fan = parameter[0].numel() if parameter.ndim > 1 else 4
        parameter.data = (drawn / fan**0.5).to(parameter)
    return module.eval()


def _image(*size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, *size, generator=generator, dtype=torch.float64).to(dtype)


@pytest.fixture
def fill() -> Callable[[nn.Module], nn.Module]:
    """(module) -> the same, every parameter drawn from a generator seeded with its name."""
    return _fill


@pytest.fixture
def image() -> Callable[..., Tensor]:
    """(height, width, seed=0, dtype=float32) -> (1, 3, height, width) in [0, 1]."""
    return _image
