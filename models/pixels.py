"""Pictures as arrays of levels and as tensors that networks take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gends.models.degrader import Image


def to_tensor(images: Sequence[Image] | npt.NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(list(images))))
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(tensor: Tensor) -> npt.NDArray[np.uint8]:
    """The inverse of `to_tensor`: rounded to the nearest level, values outside [-1, 1] clamped."""
    levels = ((tensor.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def grid(rows: Sequence[npt.NDArray[np.uint8]]) -> Image:
    """Rows of equally many pictures (N, H, W, 3) as one picture."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
