"""Pictures to watch a restorer's training by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from gends.jobs.training.restorer.settings import RestorerSettings
from gends.jobs.training.restorer.validation import spread
from gends.models.degrader import Image
from gends.models.pixels import grid, to_images
from gends.reading.dataset import PairDataset

SHOWN = 8
"""Pictures in a row."""


class Samples:
    """The `sample` of a task: rows of the same crops degraded, restored and clean.

    They are from the pairs that are validated on, where there are such.
    """

    def __init__(self, settings: RestorerSettings, device: torch.device) -> None:
        """Read the middle of a few pairs, spread over the degradations."""
        data, validation = settings.data, settings.validation
        pairs = (
            PairDataset(data.named_roots(), preset="tensor", **data.selection())
            if validation is None
            else PairDataset(list(validation.roots), preset="tensor", split=validation.split)
        )
        chosen = spread(np.array(pairs.rows["degradation"].to_pylist()), SHOWN)
        items = [pairs[index] for index in chosen.tolist()]
        side = min(settings.hyperparameters.crop, *(min(item["gt"].shape[1:]) for item in items))
        self._device = device
        self._lq, self._gt = (
            torch.stack([middle(item[part], side) for item in items]) for part in ("lq", "gt")
        )

    def __call__(self, step: int, modules: Mapping[str, nn.Module]) -> Image:
        """Restore them; under inference mode."""
        (restorer,) = modules.values()
        restored = restorer(self._lq.to(self._device))
        return grid([to_images(row * 2 - 1) for row in (self._lq, restored, self._gt)])


def middle(picture: Tensor, side: int) -> Tensor:
    """The square of this side in the middle of (C, H, W)."""
    top, left = ((length - side) // 2 for length in picture.shape[1:])
    return picture[:, top : top + side, left : left + side]
