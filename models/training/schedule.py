"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Linear warm-up, then a constant or a half cosine down to `final` of the base rate."""

    kind: Literal["constant", "cosine"] = "cosine"
    warmup: int = 0
    """Steps until the full rate is reached."""
    final: float = 0.0
    """Share of the base rate left where the cosine ends, in [0, 1]."""
    stretch: float = 1.0
    """Steps of warm-up and cosine together, in runs: above 1, the run stops on the way down."""

    def __post_init__(self) -> None:
        """Refuse values that would only show as a run that does not learn."""
        if self.kind not in ("constant", "cosine"):
            raise ValueError(f"schedule kind is {self.kind!r}; choose 'constant' or 'cosine'")
        if self.warmup < 0:
            raise ValueError(f"schedule warmup is {self.warmup}; give 0 or more steps")
        if not 0.0 <= self.final <= 1.0:
            raise ValueError(f"schedule final is {self.final}; give a share in [0, 1]")
        if self.stretch < 1.0:
            raise ValueError(f"schedule stretch is {self.stretch}; give 1 or more")

    def factor(self, step: int, steps: int) -> float:
        """What step `step` (counted from 0) of `steps` multiplies the base rate with, in [0, 1]."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.kind == "constant":
            return 1.0
        done = min(1.0, (step - self.warmup) / max(1, self.stretch * steps - self.warmup))
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))
