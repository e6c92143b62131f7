"""Crop, flip and turn the pictures of a pair alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from gends.pipeline.format.png import Window


class Move(NamedTuple):
    """What is done to all pictures of a pair: cut the window, mirror left and right, then turn."""

    window: Window | None
    flip: bool
    turns: int
    """Quarter turns, counterclockwise."""

    def apply(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Move a picture or mask, (H, W) or (H, W, C), that may have to be cut yet."""
        if self.window is not None:
            top, left, height, width = self.window
            picture = picture[top : top + height, left : left + width]
        return self.turn(picture)

    def turn(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Move a picture of which the window alone was decoded; a view where nothing changes."""
        if self.flip:
            picture = picture[:, ::-1]
        return np.rot90(picture, self.turns) if self.turns else picture


@dataclass(frozen=True, slots=True)
class WithMove:
    """A transform that is told how its pair was moved, to move alike what else belongs to it."""

    function: Callable[[Any, Move], Any]
    """From the item, after its preset, and the move; `Move.apply` takes whole pictures."""


@dataclass(frozen=True, slots=True)
class Augment:
    """Random crop, flip and rotation, the same for `lq` and `gt`.

    The move is a function of `seed` and the numbers it is drawn by: a stream draws by its own seed,
    the epoch and the place in the epoch's order; a `PairDataset` by epoch and index once
    `set_epoch` was called, and until then by torch's generator of the process.

    A transform in a `WithMove` moves alike what else belongs to a pair, such as a mask.

    Only the window is decoded, and of files that fpng wrote nothing below it.
    """

    crop: int | tuple[int, int] | None = None
    """Side of a square in pixels, or (height, width); None keeps whole pictures."""
    flip: bool = False
    """Mirror every second pair, left and right."""
    rotate: bool = False
    """Turn by 0, 90, 180 or 270 degrees; what is not square only by 0 or 180."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.crop is None:
            return
        sides = self.shape(1, 1)
        whole = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
        if len(sides) != 2 or not whole:
            raise ValueError(
                f"crop must be a number of pixels or (height, width) of them, got {self.crop!r}"
            )
        if min(sides) < 1:
            raise ValueError(f"crop must be at least 1 pixel, got {self.crop}")

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what becomes of a picture."""
        if self.crop is None:
            return height, width
        return self.crop if isinstance(self.crop, tuple | list) else (self.crop, self.crop)

    def draw(self, height: int, width: int, numbers: Sequence[int] | None) -> Move:
        """How to move a pair of this size; `numbers` None draws by torch's generator.

        Raises:
            ValueError: it is smaller than the crop.
        """
        drawn = _drawn(self.seed, *(_by_torch() if numbers is None else numbers))
        tall, wide = self.shape(height, width)
        if tall > height or wide > width:
            raise ValueError(f"crop {wide}x{tall} is larger than {width}x{height} pixels")
        top, left = _below(height - tall + 1, drawn[0]), _below(width - wide + 1, drawn[1])
        flip, turns = _below(2, drawn[2]), _below(4, drawn[3])
        window = None if self.crop is None else Window(top, left, tall, wide)
        if tall != wide:
            turns = 2 * (turns // 2)
        return Move(window, self.flip and bool(flip), turns if self.rotate else 0)


def _drawn(*numbers: int) -> list[int]:
    """Four numbers of 64 bits that are a function of these.

    A generator of numpy for each pair would cost a twelfth of reading a crop.
    """
    digest = blake3(repr([*map(int, numbers)]).encode()).digest(32)
    drawn: list[int] = np.frombuffer(digest, "<u8").tolist()
    return drawn


def _below(bound: int, drawn: int) -> int:
    """A whole number from 0 on below this bound, of one of 64 bits."""
    return drawn * int(bound) >> 64  # which numpy's numbers would overflow


def _by_torch() -> tuple[int]:
    import torch  # noqa: PLC0415  not needed by readers of plain pairs

    return (int(torch.randint(2**62, ())),)
