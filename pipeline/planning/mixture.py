"""Mixtures: what a configuration asks for, from which the plan draws a recipe for each pair."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from gends.models.degradations import DEGRADATIONS
from gends.models.parametric.catalog import OPERATIONS
from gends.models.regions import MOST, WIDEST, Shape
from gends.pipeline.planning.section import Section
from gends.pipeline.planning.steps import SomeOf, StepError, Steps, StepTemplate, parse_steps

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


class RegionsConfig(Section):
    """Parts of a picture that each get a recipe of their own."""

    count: tuple[int, int] = Field(
        default=(2, 4), description="How many parts, from least to most."
    )
    shape: tuple[Shape, ...] = Field(
        default=get_args(Shape), description="Shapes of parts, one for each pair."
    )
    feather: tuple[float, float] = Field(
        default=(0.0, 8.0),
        description="Width of the soft borders, in pixels of a picture whose shorter side is 256.",
    )

    @field_validator("count", "feather", mode="before")
    @classmethod
    def _range(cls, given: Any) -> Any:
        return given if isinstance(given, list | tuple) else (given, given)

    @field_validator("shape", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @field_validator("shape")
    @classmethod
    def _any(cls, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        if not shapes:
            raise ValueError("shape is empty; give one or more of " + ", ".join(get_args(Shape)))
        return shapes

    @model_validator(mode="after")
    def _in_range(self) -> RegionsConfig:
        for name, most in (("count", MOST), ("feather", WIDEST)):
            low, high = getattr(self, name)
            least = 1 if name == "count" else 0
            if not least <= low <= high <= most:
                raise ValueError(
                    f"{name} is [{low:g}, {high:g}]; give a range from {least} to {most:g}, the "
                    "lower end first"
                )
        return self


class MixtureConfig(Section):
    """Which steps may be drawn for a pair, in which order, and how often."""

    name: str = Field(description="Label of the pairs: small letters, digits and _.")
    steps: Any = Field(
        description="A list of steps, drawn and carried out one after another: a name (haze), "
        "{op: noise, sigma: [5, 25], probability: 0.5}, {one_of: [rain, snow]}, {some_of: [haze, "
        "rain, noise], count: [1, 2]}; or {shuffled: [rain, snow, noise]} for all orders, equally "
        "often."
    )
    order: Literal["physical", "written"] = Field(
        default="physical",
        description="physical: from scene to lens, sensor and coding, as `gends-build operations` "
        "lists them; written: as they stand under steps.",
    )
    weight: float = Field(
        default=1.0, gt=0, description="How often it is drawn, beside others, with per_image."
    )
    pairs: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="Exactly so many pairs are asked for in all, spread evenly over the "
        "photographs; with more than one of a photograph, those after the first are cut, mirrored "
        "and turned differently. What is rejected or fails is not replaced. Empty: replicas pairs "
        "of each photograph.",
    )
    datasets: tuple[str, ...] = Field(
        default=(), description="Only photographs of these datasets; empty: of all."
    )
    regions: RegionsConfig | None = Field(
        default=None,
        description="Cut the picture into parts, each with a recipe drawn anew from the steps.",
    )

    @field_validator("name")
    @classmethod
    def _usable_in_keys(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no label; use up to 60 small letters, digits and _, a letter first"
            )
        return name

    @model_validator(mode="after")
    def _named_as_what_it_is(self) -> MixtureConfig:
        """Readers know labels that are names of operations, and take pairs for theirs."""
        if self.name in OPERATIONS and self.ops != {self.name}:
            raise StepError(
                ("name",),
                f"{self.name} is the name of an operation, and these steps are "
                f"{', '.join(sorted(self.ops))}; take another name",
            )
        return self

    @field_validator("datasets", mode="before")
    @classmethod
    def _one_or_several(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) else names

    @field_validator("steps")
    @classmethod
    def _known_steps(cls, given: Any) -> Any:
        parse_steps(given)
        return given

    @cached_property
    def parsed(self) -> Steps:
        """The steps, read."""
        return parse_steps(self.steps)

    @property
    def ops(self) -> frozenset[str]:
        """All operations that may take part."""
        return frozenset(template.op for template in self.parsed.templates)

    @property
    def is_varied(self) -> bool:
        """Whether its pairs may differ in their steps, or in the order of these."""
        entries = self.parsed.entries
        if len(entries) > 1 and self.parsed.shuffled:
            return True
        regions = self.regions is not None and self.regions.count[0] < self.regions.count[1]
        return regions or any(
            isinstance(entry, SomeOf) or entry.probability < 1 for entry in entries
        )


def single(degradation: str) -> MixtureConfig:
    """What `degradations: [NAME]` is short for: one step, with its severity from the profile."""
    return MixtureConfig(name=degradation, steps=[degradation])


def engine_of(template: StepTemplate, engine: str) -> str:
    """Which engine carries out a step in a build whose own is `engine`."""
    if template.engine is not None:
        return template.engine
    return engine if _is_painted(template) else "parametric"


def _is_painted(template: StepTemplate) -> bool:
    """Whether an engine that knows severities alone can be told all that a step asks for."""
    return template.op in DEGRADATIONS and set(template.values) <= {"mu", "sigma"}


def is_local(template: StepTemplate, engine: str) -> bool:
    """Whether a step leaves parts of a picture as they are, so that a mask says where it is."""
    return engine_of(template, engine) == "parametric" and OPERATIONS[template.op].is_local
