"""A weight-free engine that hits mu and sigma exactly enough: for tests and dry runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gends.models.degrader import Degraded, Image, Instruction

VERSION = 1


class DryDegrader:
    """Moves every value of an image towards mid-grey's far side by a seeded amount.

    |lq - gt| follows a two-valued distribution of mean mu and standard deviation sigma; each value
    moves up or down to where there is room, so nothing clips. It looks like nothing on earth and
    exercises everything around an engine.
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
    mu, sigma = instruction.mu, instruction.sigma
    rng = np.random.default_rng(instruction.seed)
    # Two values a < b with share p of b: mean mu, deviation sigma, and a >= 0.
    share = mu * mu / (mu * mu + sigma * sigma) if mu > sigma else 0.5 * mu / max(sigma, mu, 1e-9)
    share = min(max(share, 0.02), 0.98)
    low = max(0.0, mu - sigma * np.sqrt(share / (1 - share)))
    high = (mu - (1 - share) * low) / share
    amount = np.where(rng.random(clean.shape) < share, high, low) * 255
    # Stochastic rounding keeps the mean of amounts far below one grey level.
    steps = np.floor(amount + rng.random(clean.shape)).astype(np.int32)
    values = clean.astype(np.int32)
    lq = np.where(values < 128, values + steps, values - steps)
    return Degraded(
        lq=np.clip(lq, 0, 255).astype(np.uint8),
        gt=clean,
        target_kind="clean",
        scm_applied=False,
    )
