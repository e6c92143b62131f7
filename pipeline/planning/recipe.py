"""Draw the recipe of one pair from its mixture: which steps, in which order, how strong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gends.histograms.profile import Profile
from gends.histograms.sampler import Draw
from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.levels import level_strengths
from gends.models.regions import RegionMap
from gends.pipeline.planning.config import BuildConfig
from gends.pipeline.planning.mixture import MixtureConfig, RegionsConfig, engine_of
from gends.pipeline.planning.steps import Entry, SomeOf, Steps, StepTemplate
from gends.pipeline.seeds import draw_seed
from gends.pipeline.types import Step

MOST_DRAWS = 100
"""Severities drawn for one request until one lies in the filter's window."""
RANK = {name: number for number, name in enumerate(OPERATIONS)}
"""Place of an operation in the physical order."""


class Place(NamedTuple):
    """Which pair of a build it is: what all its random choices follow from."""

    source_id: str
    label: str
    replica: int


class RecipeDrawer:
    """Draws recipes; each is a function of the configuration, the profile and the pair's place."""

    def __init__(self, config: BuildConfig, profile: Profile) -> None:
        """Bind the configuration and the severity profile."""
        self.config = config
        self.profile = profile

    def recipes(
        self, mixture: MixtureConfig, place: Place, ordinal: int
    ) -> tuple[RegionMap | None, tuple[tuple[Step, ...], ...]]:
        """The region map and the steps of each region of a pair.

        `ordinal` counts the pairs of the mixture: shuffled steps take their order from it, so that
        every order comes equally often.
        """
        regions = None if mixture.regions is None else self._regions(mixture.regions, place)
        count = 1 if regions is None else regions.count
        return regions, tuple(
            tuple(self._steps(mixture, place, region, ordinal)) for region in range(count)
        )

    def _regions(self, wanted: RegionsConfig, place: Place) -> RegionMap:
        rng = np.random.default_rng(draw_seed(self.config.seed, *place, "regions"))
        return RegionMap(
            count=int(rng.integers(wanted.count[0], wanted.count[1] + 1)),
            shape=wanted.shape[int(rng.integers(len(wanted.shape)))],
            feather=round(float(rng.uniform(*wanted.feather)), 3),
            seed=int(rng.integers(2**63)),
        )

    def _steps(
        self, mixture: MixtureConfig, place: Place, region: int, ordinal: int
    ) -> Iterator[Step]:
        rng = np.random.default_rng(draw_seed(self.config.seed, *place, "recipe", region))
        drawn = list(drawn_templates(mixture.parsed, rng))
        if mixture.parsed.shuffled:
            drawn = permuted(drawn, ordinal, region)
        elif mixture.order == "physical":
            drawn.sort(key=lambda template: RANK[template.op])
        for number, template in enumerate(drawn):
            values = {name: value.draw(rng) for name, value in template.values.items()}
            yield self._step(template, values, place, (region, number))

    def _step(
        self,
        template: StepTemplate,
        values: dict[str, Any],
        place: Place,
        where: tuple[int, int],
    ) -> Step:
        engine = engine_of(template, self.config.engine)
        operation, op = OPERATIONS[template.op], template.op
        mu = values.pop("mu", None)
        if mu is not None:
            sigma = values.pop("sigma", None)
            if sigma is None and engine != "parametric":
                sigma = self._usual_sigma(op, mu, self._rng(place, where))
            return Step(op=op, engine=engine, mu=mu, sigma=sigma, parameters=values)
        scale = operation.scale
        if scale is not None and scale.name in values:
            strength = scale.strength(values.pop(scale.name))
        elif "level" in values:
            strength = level_strengths(op)[values.pop("level") - 1]
        elif "strength" in values:
            strength = values.pop("strength")
        elif op in self.profile.degradations:
            return self._of_profile(op, engine, values, place, where)
        else:
            rng = self._rng(place, where)
            strength = round(float(rng.uniform(*operation.usual)), 6)
        return Step(op=op, engine=engine, strength=strength, parameters=values)

    def _of_profile(
        self,
        op: str,
        engine: str,
        values: dict[str, Any],
        place: Place,
        where: tuple[int, int],
    ) -> Step:
        severity = self._severity(op, self._rng(place, where))
        return Step(
            op=op,
            engine=engine,
            mu=severity.mu,
            sigma=severity.sigma,
            severity_dataset=severity.dataset,
            random_sampled=severity.random_sampled,
            parameters=values,
        )

    def _usual_sigma(self, op: str, mu: float, rng: np.random.Generator) -> float:
        """A sigma that the profile has beside about this mu: of many draws, the nearest one's."""
        draws = [self.profile.draw(op, rng, uniform_share=0.0) for _ in range(MOST_DRAWS)]
        return min(draws, key=lambda draw: abs(draw.mu - mu)).sigma

    def _rng(self, place: Place, where: tuple[int, int]) -> np.random.Generator:
        further = () if where == (0, 0) else where
        return np.random.default_rng(draw_seed(self.config.seed, *place, "severity", *further))

    def _severity(self, op: str, rng: np.random.Generator) -> Draw:
        """A severity that the filter can accept, unless the profile has next to none."""
        bounds = self.config.filter
        for _ in range(MOST_DRAWS):
            severity = self.profile.draw(op, rng, self.config.uniform_share)
            if bounds.mu_min <= severity.mu <= bounds.mu_max:
                break
        return severity


def drawn_templates(steps: Steps, rng: np.random.Generator) -> Iterator[StepTemplate]:
    """Which steps take part, in the order in which they are written."""
    waiting: list[Entry] = [*reversed(steps.entries)]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, SomeOf):
            count = int(rng.integers(entry.count[0], entry.count[1] + 1))
            chosen = sorted(rng.permutation(len(entry.entries))[:count])
            waiting.extend(entry.entries[index] for index in reversed(chosen))
        elif entry.probability >= 1 or rng.random() < entry.probability:
            yield entry


def permuted(templates: Sequence[StepTemplate], ordinal: int, region: int) -> list[StepTemplate]:
    """The order of a pair's region: as many pairs as there are orders have each of them once.

    Regions are ahead of each other by a number that differs from one such group of pairs to the
    next, so that the orders of two regions do not always go together.
    """
    group, place = divmod(ordinal, math.factorial(len(templates)))
    number = (place + region * (group + 1)) % math.factorial(len(templates))
    order = next(itertools.islice(itertools.permutations(templates), number, None))
    return list(order)
