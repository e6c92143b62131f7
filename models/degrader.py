"""The seam between the pipeline and every engine that degrades images.

Diffusion model, physical formulas and the weight-free test engine all stand behind `Degrader`, so
nothing downstream knows which one ran. This module imports no torch: the pipeline's decoding and
encoding processes stay light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from gends.models.degradations import TargetKind

Image = npt.NDArray[np.uint8]
"""An image: uint8, (H, W, 3), RGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What to do to one image. Everything random about it is in `seed`."""

    degradation: str
    """What the engine knows it by: a key of `gends.models.degradations.DEGRADATIONS`, or of
    `gends.models.parametric.OPERATIONS`."""
    mu: float | None = None
    """Wanted mean of |lq - gt|, RGB in [0, 1]; None where `strength` is given."""
    sigma: float | None = None
    """Wanted population standard deviation of |lq - gt|, RGB in [0, 1]; None: any."""
    seed: int
    """Unsigned 64-bit; equal instructions on equal images give equal bytes."""
    strength: float | None = None
    """Of an operation, in [0, 1], instead of a severity."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of an operation: those that are given, and so not drawn."""
    made: Mapping[str, Any] | None = None
    """Of an operation: the step of another image, `Degraded.step`, that is to be made again on this
    one, whatever severity it has here."""

    @property
    def severity(self) -> tuple[float, float]:
        """Mu and sigma, for engines that know nothing else.

        Raises:
            ValueError: one of them is not given.
        """
        if self.mu is None or self.sigma is None:
            raise ValueError(f"{self.degradation}: mu and sigma are needed, and not both are given")
        return self.mu, self.sigma

    caption: str | None = None
    """Description of the clean image, put before the degradation's phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """One degraded image and what it is to be paired with."""

    lq: Image
    gt: Image
    target_kind: TargetKind
    scm_applied: bool
    step: dict[str, Any] = field(default_factory=dict)
    """What the engine knows about how it was made, as JSON values: of an operation its version and
    parameters, which are enough to make it again."""
    note: str | None = None
    """What was out of the ordinary about making it; the manifest records it."""


@runtime_checkable
class Degrader(Protocol):
    """Turns clean images and instructions into degraded images."""

    engine: str
    """Name recorded in the manifest: gendeg, parametric, dry."""

    def fingerprint(self) -> dict[str, str]:
        """Identity of everything that decides the output bytes: versions, digests of weights."""

    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        """Carry out `instructions[i]` on `cleans[i]` (all of one size); same nesting comes back.

        The result is a function of the arguments alone. Engines that batch cut the flattened list
        into fixed micro-batches, so membership does not depend on anything outside the call.
        """
