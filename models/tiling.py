"""Restores a picture of any size in overlapping tiles, whose seams are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gends.models.degrader import Image
from gends.models.pixels import from_unit_tensor, to_unit_tensor

Network = Callable[[Tensor], Tensor]
"""(1, 3, H, W) RGB in [0, 1] to the restored picture, same shape, not clamped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How pictures are cut. Those that fit into one tile are restored whole."""

    tile: int = 512
    """Side of a tile, in pixels."""
    overlap: int = 64
    """Pixels that neighbours share at least. The outer quarter of it, where a network sees the end
    of its tile instead of what lies beyond, is thrown away; over the rest one tile fades into the
    next. So tiles change nothing for a network that looks no further than a quarter of this."""

    def __post_init__(self) -> None:
        """Raises ValueError for tiles without a middle."""
        if self.tile < 1 or not 0 <= self.overlap <= self.tile // 2:
            raise ValueError(
                f"overlap {self.overlap} of tiles of {self.tile} pixels; it must lie between 0 and "
                "half of the tile"
            )


@torch.inference_mode()
def restore(
    network: Network,
    image: Image,
    tiling: Tiling | None = None,
    *,
    device: torch.device | str = "cpu",
    bf16: bool = False,
) -> Image:
    """Restore uint8 (H, W, 3) RGB, rounded to the nearest level.

    One tile at a time is on the device, and one row of tiles in memory beside both pictures.

    Args:
        network: what restores a tile; its parameters are on `device`.
        image: the degraded picture.
        tiling: how to cut it.
        device: where the network is.
        bf16: compute in bfloat16 where autocast holds that to be safe.

    Raises:
        FloatingPointError: the network gave a value that is not finite.
    """
    tiling = tiling or Tiling()

    def run(part: Image) -> Tensor:
        x = to_unit_tensor(part, device)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            restored = network(x)[0].float().cpu()
        if not bool(restored.isfinite().all()):
            raise FloatingPointError("the model gave values that are not finite")
        return restored

    height, width, _ = image.shape
    if max(height, width) <= tiling.tile:
        return from_unit_tensor(run(image))
    whole = torch.empty((height, width, 3), dtype=torch.uint8)
    for top, band in _bands(run, image, tiling):
        whole[top : top + band.shape[1]] = torch.from_numpy(from_unit_tensor(band))
    return whole.numpy()


def _bands(
    run: Callable[[Image], Tensor], image: Image, tiling: Tiling
) -> Iterator[tuple[int, Tensor]]:
    """The restored picture from top to bottom: first row, and (3, rows, W) that are final."""
    height, width, _ = image.shape
    tops, side = _starts(height, tiling), min(tiling.tile, height)
    fade = _fade(side, height, tiling)
    total, weight = torch.zeros(3, side, width), torch.zeros(side)
    for top, following in zip(tops, [*tops[1:], height], strict=True):
        faded = fade(top)
        total += _row(run, image[top : top + side], tiling) * faded[:, None]
        weight += faded
        done = following - top
        yield top, total[:, :done] / weight[:done, None]
        total = torch.cat([total[:, done:], torch.zeros(3, done, width)], dim=1)
        weight = torch.cat([weight[done:], torch.zeros(done)])


def _row(run: Callable[[Image], Tensor], strip: Image, tiling: Tiling) -> Tensor:
    """A strip as high as a tile, (H, W, 3), to the restored (3, H, W)."""
    height, width, _ = strip.shape
    side = min(tiling.tile, width)
    fade = _fade(side, width, tiling)
    total, weight = torch.zeros(3, height, width), torch.zeros(width)
    for left in _starts(width, tiling):
        faded = fade(left)
        total[:, :, left : left + side] += run(strip[:, left : left + side]) * faded
        weight[left : left + side] += faded
    return total / weight


def _starts(length: int, tiling: Tiling) -> list[int]:
    """Where tiles begin along a side: as few as cover it, evenly spaced."""
    if length <= tiling.tile:
        return [0]
    room = length - tiling.tile
    count = -(-room // (tiling.tile - tiling.overlap))
    return [round(room * number / count) for number in range(count + 1)]


def _fade(side: int, length: int, tiling: Tiling) -> Callable[[int], Tensor]:
    """Start of a tile → weights of its pixels along one axis; full at the picture's own ends."""
    margin = tiling.overlap // 4
    ramp = (torch.arange(side) + 0.5 - margin) / max(tiling.overlap - 2 * margin, 1)
    # Without an overlap every pixel has one tile, and any weight will do.
    rising = ramp.clamp(0, 1) if tiling.overlap else torch.ones(side)

    def weights(start: int) -> Tensor:
        begins = torch.ones(side) if start == 0 else rising
        ends = torch.ones(side) if start + side == length else rising.flip(0)
        return torch.minimum(begins, ends)

    return weights
