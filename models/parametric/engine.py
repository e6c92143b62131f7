"""The physical formulas behind the same seam as the diffusion model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from gends.models.degrader import Degraded, Image, Instruction
from gends.models.parametric.catalog import OPERATIONS, operation_named
from gends.models.parametric.coding import codec
from gends.models.parametric.depth.estimator import PROCEDURAL, DepthEstimator, estimate
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.parametric.solver import Solution, rendered, solve
from gends.models.pixels import Photo, Plane, to_float

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

    Operations that ask how far things are get it from `depth`; without one, each lays its own.
    """

    engine = "parametric"

    def __init__(
        self,
        candidates: int = 3,
        variants: Sequence[int] = (),
        depth: DepthEstimator | None = None,
    ) -> None:
        if candidates < 1:
            raise ValueError(f"candidates is {candidates}; it must be at least 1")
        if any(number < 0 for number in variants):
            raise ValueError(f"variants are {list(variants)}; they are numbered from 0")
        self.candidates = candidates
        self.variants = tuple(variants)
        self.depth = depth

    def fingerprint(self) -> dict[str, str]:
        """Versions of the operations and of the libraries whose arithmetic they use."""
        versions = {f"operation.{o.name}": str(o.version) for o in OPERATIONS.values()}
        return {
            "engine": self.engine,
            "candidates": str(self.candidates),
            "tries": str(TRIES),
            "variants": ",".join(map(str, self.variants)),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            **codec.versions(),
            "depth": _name(self.depth),
            **(self.depth.fingerprint() if self.depth else {}),
            **versions,
        }

    def degrade(
        self, cleans: Sequence[Image], instructions: Sequence[Sequence[Instruction]]
    ) -> list[list[Degraded]]:
        """Carry out `instructions[i]` on `cleans[i]`; same nesting comes back."""
        return [
            self._degrade_one(clean, wanted)
            for clean, wanted in zip(cleans, instructions, strict=True)
        ]

    def _degrade_one(self, clean: Image, wanted: Sequence[Instruction]) -> list[Degraded]:
        photo, depth = to_float(clean), None
        if self.depth and any(operation_named(i.degradation).needs_depth for i in wanted):
            depth = estimate(self.depth, clean)
        return [self._degrade(clean, photo, depth, instruction) for instruction in wanted]

    def _degrade(
        self, clean: Image, photo: Photo, depth: Plane | None, wanted: Instruction
    ) -> Degraded:
        if wanted.made is not None:
            again = replay(wanted.made, clean, self.depth)
            return _as_made(again, clean, dict(wanted.made))
        operation = operation_named(wanted.degradation)
        if wanted.strength is not None:
            drawn = self._drawn(operation, wanted, 0)
            render = operation.renderer(photo, *drawn, depth)
            return self._made(clean, operation, *drawn, rendered(render, clean, wanted.strength))
        if wanted.mu is None:
            raise ValueError(f"{wanted.degradation}: neither a strength nor a severity is wanted")
        best: tuple[float, Solution, Parameters, int] | None = None
        for candidate in range(max(self.candidates, TRIES)):
            if candidate >= self.candidates and best and _missed(best[1], wanted.mu) == 0:
                break
            parameters, seed = self._drawn(operation, wanted, candidate)
            render = operation.renderer(photo, parameters, seed, depth)
            solution = solve(render, clean, wanted.mu, tolerance=_tolerance(wanted.mu))
            distance = _distance(solution, wanted.mu, wanted.sigma)
            if best is None or distance < best[0]:
                best = distance, solution, parameters, seed
            if distance <= SIGMA_TOLERANCE:
                break
        assert best is not None
        _, solution, parameters, seed = best
        return self._made(clean, operation, parameters, seed, solution)

    def _drawn(
        self, operation: Operation, wanted: Instruction, candidate: int
    ) -> tuple[Parameters, int]:
        """Parameters, those that are given in their place, and the seed of the random fields."""
        rng = np.random.default_rng((wanted.seed, candidate))
        parameters = self._parameters(operation, rng)
        return {**parameters, **wanted.parameters}, int(rng.integers(2**63))

    def _parameters(self, operation: Operation, rng: np.random.Generator) -> Parameters:
        if not self.variants:
            return operation.draw(rng)
        variant = self.variants[rng.integers(len(self.variants))]
        return operation.draw(np.random.default_rng((VARIANTS, variant)))

    def _made(
        self, clean: Image, operation: Operation, parameters: Parameters, seed: int, made: Solution
    ) -> Degraded:
        step = {
            "op": operation.name,
            "version": operation.version,
            "parameters": {**parameters, "strength": made.strength},
            "seed": seed,
        }
        if operation.needs_depth:
            step["depth"] = _name(self.depth)
        return _as_made(made.lq, clean, step)


def _as_made(lq: Image, clean: Image, step: dict[str, Any]) -> Degraded:
    return Degraded(lq=lq, gt=clean, target_kind="clean", scm_applied=False, step=step)


def replay(step: Mapping[str, Any], image: Image, depth: DepthEstimator | None = None) -> Image:
    """Apply a stored step of an operation to any image: the same bytes for the same image.

    Raises:
        ValueError: this installation does not have the operation, or that version of it, or the
            step's depth was estimated by another than `depth`.
    """
    operation = check_version(step)
    plane = _replayed_depth(step, image, depth) if operation.needs_depth else None
    render, strength = renderer_of(step, to_float(image), plane)
    return rendered(render, image, strength).lq


def check_version(step: Mapping[str, Any]) -> Operation:
    """The operation of a stored step.

    Raises:
        ValueError: this installation does not have it, or another version of it.
    """
    operation = operation_named(step["op"])
    if step["version"] != operation.version:
        raise ValueError(
            f"the step was made by version {step['version']} of {step['op']}, here is version "
            f"{operation.version}: install the release of gends that made it"
        )
    return operation


def renderer_of(
    step: Mapping[str, Any], photo: Photo, depth: Plane | None
) -> tuple[Renderer, float]:
    """The renderer of a stored step on a picture, float32 (H, W, 3), and the step's strength."""
    parameters = dict(step["parameters"])
    strength = parameters.pop("strength")
    operation = operation_named(step["op"])
    return operation.renderer(photo, parameters, step["seed"], depth), strength


def _replayed_depth(
    step: Mapping[str, Any], image: Image, depth: DepthEstimator | None
) -> Plane | None:
    if step["depth"] == PROCEDURAL:
        return None
    if depth is None or depth.name != step["depth"]:
        raise ValueError(
            f"the depth of this step of {step['op']} was estimated by {step['depth']}, and here by "
            f"{'no model' if depth is None else depth.name}: give the model that made it"
        )
    return estimate(depth, image)


def _name(depth: DepthEstimator | None) -> str:
    return PROCEDURAL if depth is None else depth.name


def _tolerance(mu: float) -> float:
    """Small severities are hit to 3 % of themselves, but no finer than 8-bit rounding allows."""
    return max(5e-4, min(MU_TOLERANCE, 0.03 * mu))


def _distance(solution: Solution, mu: float, sigma: float | None) -> float:
    """Error of sigma; a missed mu weighs so much more that it decides alone."""
    error = 0.0 if sigma is None else abs(solution.sigma - sigma)
    return error + 1000 * _missed(solution, mu)


def _missed(solution: Solution, mu: float) -> float:
    """By how much mu lies outside the bin around the wanted one."""
    return max(0.0, abs(solution.mu - mu) - MU_BIN)
