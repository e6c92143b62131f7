"""Opens a trained restorer, and restores pictures with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from gends.jobs.errors import BuildError
from gends.models.degrader import Image
from gends.models.restorers.architectures import load
from gends.models.tiling import Tiling, restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorer:
    """A network on a device, and how pictures are given to it."""

    network: nn.Module
    tiling: Tiling
    device: str
    bf16: bool

    @classmethod
    def open(
        cls, folder: Path, *, tile: int, overlap: int, device: str, bf16: bool | None
    ) -> Restorer:
        """Load a folder that `gends-build train restorer` wrote; bf16 None is on for GPUs.

        Raises:
            ValueError: it holds no restorer, or the tiles have no middle.
        """
        tiling = Tiling(tile=tile, overlap=overlap)
        network: nn.Module = load(folder)
        return cls(
            network=network.to(device).eval(),
            tiling=tiling,
            device=device,
            bf16=device.startswith("cuda") if bf16 is None else bf16,
        )

    def __call__(self, image: Image) -> Image:
        """Restore uint8 (H, W, 3) RGB.

        Raises:
            BuildError: a tile does not fit into the device's memory.
            FloatingPointError: the network gave a value that is not finite.
        """
        try:
            return restore(self.network, image, self.tiling, device=self.device, bf16=self.bf16)
        except torch.OutOfMemoryError as error:
            raise BuildError(
                f"{self.device} has no room for a tile of {self.tiling.tile} pixels; "
                "give a smaller --tile"
            ) from error
