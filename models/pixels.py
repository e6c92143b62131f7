"""Pictures as arrays of levels, as arrays of numbers, and as tensors that networks take.

Torch is only loaded where tensors are made: what works by formula alone does without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gends.models.degrader import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Photo = npt.NDArray[np.float32]
"""An image: float32, (H, W, 3), RGB as displayed (gamma-encoded), [0, 1]."""

Plane = npt.NDArray[np.float32]
"""One value per pixel: float32, (H, W)."""

Field = npt.NDArray[np.float32]
"""A plane or an image: float32, (H, W) or (H, W, 3), of any range."""


def to_float(image: Image) -> Photo:
    """Bring an 8-bit image to float32 in [0, 1]."""
    return np.asarray(image / np.float32(255), np.float32)


def to_uint8(image: Photo) -> Image:
    """Round an image in [0, 1] to 8 bits, half to even, clipping what lies outside."""
    # In one buffer: new memory costs more than the arithmetic.
    scaled = np.clip(image, 0, 1)
    scaled *= np.float32(255)
    return np.asarray(np.rint(scaled, out=scaled), np.uint8)


def to_tensor(images: Sequence[Image] | npt.NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1]."""
    import torch  # noqa: PLC0415

    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(list(images))))
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(tensor: Tensor) -> npt.NDArray[np.uint8]:
    """The inverse of `to_tensor`: rounded to the nearest level, values outside [-1, 1] clamped."""
    levels = ((tensor.float() + 1) * 127.5).round().clamp(0, 255).byte()
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def to_unit_tensor(image: Image, device: torch.device | str = "cpu") -> Tensor:
    """uint8 (H, W, 3) to float32 (1, 3, H, W) in [0, 1], on `device`."""
    import torch  # noqa: PLC0415

    # A copy: torch warns of arrays that cannot be written to, as views of a file are.
    levels = torch.from_numpy(image.copy()).to(device)
    return levels.permute(2, 0, 1)[None].float() / 255


def from_unit_tensor(picture: Tensor) -> Image:
    """(3, H, W) in [0, 1] to uint8 (H, W, 3): rounded to the nearest level, the rest clamped."""
    levels = (picture * 255).round().clamp(0, 255).byte()
    return np.asarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())


def grid(rows: Sequence[npt.NDArray[np.uint8]]) -> Image:
    """Rows of equally many pictures (N, H, W, 3) as one picture."""
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
