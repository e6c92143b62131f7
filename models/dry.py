"""A weight-free engine that hits mu and sigma exactly enough: for tests and dry runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gends.models.degrader import Degraded, Image, Instruction

VERSION = 2
_LEVELS = np.arange(256)
Values = npt.NDArray[np.float64]


class DryDegrader:
    """Moves a seeded share of an image's values towards the far end of their range.

    All move by one amount, so |lq - gt| is that amount or 0; share and amount give it mean mu and
    standard deviation sigma. Where too few values have room for the amount, those with most room
    move further than the others, as far as it takes. Nothing clips: what an image has no room for
    is missing, sigma before mu. It looks like nothing on earth and exercises everything around an
    engine.
    """

    engine = "dry"

    def fingerprint(self) -> dict[str, str]:
        """Version of the formula and of the generator of random numbers."""
        return {"dry": str(VERSION), "numpy": np.__version__}

    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        """See `gends.models.degrader.Degrader`."""
        return [
            [_degrade(clean, instruction) for instruction in group]
            for clean, group in zip(cleans, instructions, strict=True)
        ]


def _degrade(clean: Image, instruction: Instruction) -> Degraded:
    rng = np.random.default_rng(instruction.seed)
    rises = clean < 128
    room = np.where(rises, 255 - clean, clean)
    counts = np.bincount(room.ravel(), minlength=256)
    mu, sigma = instruction.severity
    chances, amounts = _moves(counts / clean.size, mu * 255, sigma * 255)
    # Stochastic rounding keeps the mean of amounts far below one grey level.
    steps = np.floor(amounts[room] + rng.random(clean.shape)).astype(np.int32)
    steps = np.where(rng.random(clean.shape) < chances[room], steps, 0)
    lq = np.where(rises, clean + steps, clean - steps)
    return Degraded(
        lq=np.clip(lq, 0, 255).astype(np.uint8),
        gt=clean,
        target_kind="clean",
        scm_applied=False,
    )


def _moves(shares: Values, mu: float, sigma: float) -> tuple[Values, Values]:
    """Chance and amount of a move, (256,) each, for values with room for 0 … 255 levels.

    A share mu² / (mu² + sigma²) of values that move by (mu² + sigma²) / mu has mu and sigma. Where
    room is short of that, the cap on amounts is raised by bisection until sigma is right again.

    Args:
        shares: Of the image's values, by their room, (256,).
        mu: In levels.
        sigma: In levels.
    """
    squares = mu * mu + sigma * sigma
    low, high = min(squares / max(mu, 1e-9), 255.0), 255.0
    chances, amounts = _capped(shares, mu, low)
    if _reach(shares * chances, amounts, mu, squares):
        return chances, amounts
    for _ in range(20):
        cap = (low + high) / 2
        chances, amounts = _capped(shares, mu, cap)
        low, high = (low, cap) if _reach(shares * chances, amounts, mu, squares) else (cap, high)
    return _capped(shares, mu, high)


def _reach(moved: Values, amounts: Values, mu: float, squares: float) -> bool:
    """Whether the moves have, up to rounding, at least this mean and mean square."""
    enough = 1 - 1e-9
    mean, square = (moved * amounts).sum(), (moved * amounts**2).sum()
    return bool(mean >= mu * enough and square >= squares * enough)


def _capped(shares: Values, mu: float, cap: float) -> tuple[Values, Values]:
    """Chances and amounts that have the mean mu, or come nearest to it, with no amount above `cap`.

    Values with room for the cap move first, all with one chance, then those with most room.
    """
    amounts = np.minimum(_LEVELS, cap)
    means = shares * amounts
    before = means[::-1].cumsum()[::-1] - means
    chances = np.clip((mu - before) / np.maximum(means, 1e-12), 0, 1)
    whole = cap <= _LEVELS
    chances[whole] = min(mu / max(means[whole].sum(), 1e-12), 1)
    return chances, amounts
