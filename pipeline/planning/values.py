"""What a value of a step is drawn from: one value, a range, or a choice."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gends.models.parametric.parameter import Parameter

DIGITS = 6
"""Decimals of what is drawn from a range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A choice of values, or, with one value, that value; `span` is a range instead."""

    choices: tuple[Any, ...] = ()
    span: tuple[float, float] | None = None
    is_whole: bool = False

    @property
    def largest(self) -> Any:
        """The largest value that may be drawn."""
        return max(self.choices) if self.span is None else self.span[1]

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw one; from a range evenly, ends included where there are only whole numbers."""
        if self.span is None:
            chosen = self.choices[int(rng.integers(len(self.choices)))]
            return int(chosen) if self.is_whole else chosen
        low, high = self.span
        if self.is_whole:
            return int(rng.integers(int(low), int(high) + 1))
        return round(float(rng.uniform(low, high)), DIGITS)


def parse_value(name: str, given: Any, parameter: Parameter) -> Value:
    """Read `25`, `[5, 25]` or `{choice: [15, 25, 50]}`.

    Raises:
        ValueError: the form is none of these, or a value cannot be the parameter's.
    """
    whole = parameter.is_whole and parameter.size == 1
    if isinstance(given, Mapping):
        if set(given) != {"choice"} or not isinstance(given["choice"], list) or not given["choice"]:
            raise ValueError(
                f"{name} is {reprlib.repr(given)}; give a value, a range [low, high] or "
                "{choice: [a, b]}"
            )
        for value in given["choice"]:
            parameter.check(name, value)
        return Value(choices=tuple(given["choice"]), is_whole=whole)
    is_range = isinstance(given, list | tuple) and len(given) == 2 and parameter.size != 2
    if not is_range or parameter.choices:
        parameter.check(name, given)
        return Value(choices=(given,), is_whole=whole)
    for end in given:
        parameter.check(name, end)
    low, high = given
    if parameter.size > 1:
        raise ValueError(f"{name} is {given!r}; give a list of {parameter.size} numbers")
    if low > high:
        raise ValueError(f"{name} is [{low}, {high}]; the lower end comes first")
    return Value(span=(low, high), is_whole=whole)
