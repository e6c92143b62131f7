"""The physical formulas behind the same seam as the diffusion model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from gends.models.degrader import Degraded, Image, Instruction
from gends.models.parametric.haze import HAZE
from gends.models.parametric.low_light import LOW_LIGHT
from gends.models.parametric.motion_blur import MOTION_BLUR
from gends.models.parametric.operation import Operation, Parameters
from gends.models.parametric.rain import RAIN
from gends.models.parametric.raindrop import RAINDROP
from gends.models.parametric.snow import SNOW
from gends.models.parametric.solver import Solution, solve
from gends.models.pixels import Photo, to_float, to_uint8

OPERATIONS: dict[str, Operation] = {
    o.degradation: o for o in (HAZE, RAIN, SNOW, MOTION_BLUR, LOW_LIGHT, RAINDROP)
}

MU_TOLERANCE = 0.7 / 128 / 4
"""A quarter of a severity profile's bin: the requested bin is hit with room to spare."""

MU_BIN = 4 * MU_TOLERANCE
"""A mu that is further off was missed."""

SIGMA_TOLERANCE = 0.4 / 128
"""One bin of sigma: no further candidates are tried once this near."""

TRIES = 12
"""Candidates drawn for a mu that none of the first ones reaches."""

VARIANTS = 0x76617269616E74
"""Keeps the random numbers of variants apart from those of pairs."""


class ParametricDegrader:
    """Degrades by formula, solving each formula's strength for the mu that was asked for.

    Of up to `candidates` draws of parameters, each solved for mu, the one whose sigma is nearest to
    the instruction's is kept. Many parameters do not reach every mu: thin rain stays thin at full
    strength, a dark image cannot lose 0.25. While all have missed by more than a bin, more are
    drawn, `TRIES` in all. If those miss too, the nearest mu is kept: the recipe holds the strength
    and the severity achieved.

    With `variants` the parameters of a pair are not drawn anew but taken from one of these numbered
    sets, which never change: one number is one formula of haze, one kind of rain, and so on. Only
    strength and noise fields then differ from pair to pair, and what one set cannot reach is missed
    more often.
    """

    engine = "parametric"

    def __init__(self, candidates: int = 3, variants: Sequence[int] = ()) -> None:
        if candidates < 1:
            raise ValueError(f"candidates is {candidates}; it must be at least 1")
        if any(number < 0 for number in variants):
            raise ValueError(f"variants are {list(variants)}; they are numbered from 0")
        self.candidates = candidates
        self.variants = tuple(variants)

    def fingerprint(self) -> dict[str, str]:
        """Versions of the operations and of the libraries whose arithmetic they use."""
        versions = {f"operation.{o.degradation}": str(o.version) for o in OPERATIONS.values()}
        return {
            "engine": self.engine,
            "candidates": str(self.candidates),
            "tries": str(TRIES),
            "variants": ",".join(map(str, self.variants)),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            **versions,
        }

    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        """Carry out `instructions[i]` on `cleans[i]`; same nesting comes back."""
        return [
            [self._degrade(clean, to_float(clean), i) for i in wanted]
            for clean, wanted in zip(cleans, instructions, strict=True)
        ]

    def _degrade(self, clean: Image, photo: Photo, wanted: Instruction) -> Degraded:
        operation = _operation(wanted.degradation)
        best: tuple[float, Solution, Parameters, int] | None = None
        for candidate in range(max(self.candidates, TRIES)):
            if candidate >= self.candidates and best and _missed(best[1], wanted) == 0:
                break
            rng = np.random.default_rng((wanted.seed, candidate))
            parameters, seed = self._parameters(operation, rng), int(rng.integers(2**63))
            render = operation.prepare(photo, parameters, seed)
            solution = solve(render, clean, wanted.mu, tolerance=_tolerance(wanted.mu))
            distance = _distance(solution, wanted)
            if best is None or distance < best[0]:
                best = distance, solution, parameters, seed
            if distance <= SIGMA_TOLERANCE:
                break
        assert best is not None
        _, solution, parameters, seed = best
        step = {
            "op": operation.degradation,
            "version": operation.version,
            "parameters": {**parameters, "strength": solution.strength},
            "seed": seed,
            "mu": round(solution.mu, 6),
            "sigma": round(solution.sigma, 6),
        }
        return Degraded(
            lq=solution.lq, gt=clean, target_kind="clean", scm_applied=False, recipe=[step]
        )

    def _parameters(self, operation: Operation, rng: np.random.Generator) -> Parameters:
        if not self.variants:
            return operation.draw(rng)
        variant = self.variants[rng.integers(len(self.variants))]
        return operation.draw(np.random.default_rng((VARIANTS, variant)))


def replay(recipe: Sequence[dict[str, Any]], image: Image) -> Image:
    """Apply a stored recipe to any image: the same bytes for the same image.

    Raises ValueError for an operation or a version of one that this installation does not have.
    """
    photo = to_float(image)
    for step in recipe:
        operation = _operation(step["op"])
        if step["version"] != operation.version:
            raise ValueError(
                f"the recipe was made by version {step['version']} of {step['op']}, here is "
                f"version {operation.version}: install the release of gends that made the recipe"
            )
        parameters = dict(step["parameters"])
        strength = parameters.pop("strength")
        photo = operation.apply(photo, parameters, strength, step["seed"])
    return to_uint8(photo)


def _operation(degradation: str) -> Operation:
    if degradation not in OPERATIONS:
        raise ValueError(
            f"no physical formula for degradation {degradation!r}; there is one for "
            f"{', '.join(OPERATIONS)}"
        )
    return OPERATIONS[degradation]


def _tolerance(mu: float) -> float:
    """Small severities are hit to 3 % of themselves, but no finer than 8-bit rounding allows."""
    return max(5e-4, min(MU_TOLERANCE, 0.03 * mu))


def _distance(solution: Solution, wanted: Instruction) -> float:
    """Error of sigma; a missed mu weighs so much more that it decides alone."""
    return abs(solution.sigma - wanted.sigma) + 1000 * _missed(solution, wanted)


def _missed(solution: Solution, wanted: Instruction) -> float:
    """By how much mu lies outside the bin around the wanted one."""
    return max(0.0, abs(solution.mu - wanted.mu) - MU_BIN)
