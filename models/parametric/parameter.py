"""What the numbers of an operation mean, and between which values they may lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One drawn value of an operation."""

    meaning: str
    low: float = 0.0
    """Least value that makes sense, whether or not it is ever drawn."""
    high: float = 1.0
    unit: str = ""
    """As `px`, `degrees`, `of the shorter side`; empty: a plain number."""
    choices: tuple[str | int | bool, ...] = ()
    """The only values there are; then `low` and `high` say nothing."""
    size: int = 1
    """How many numbers; more than one are a list, as the three of a colour."""
    is_whole: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError, with the way out, unless `value` can be this parameter's."""
        if self.choices:
            if value not in self.choices or isinstance(value, bool) != isinstance(
                self.choices[0], bool
            ):
                raise ValueError(f"{name} is {value!r}; give {_either(self.choices)}")
            return
        values = value if self.size > 1 and isinstance(value, list | tuple) else [value]
        if len(values) != self.size:
            raise ValueError(f"{name} is {value!r}; give a list of {self.size} numbers")
        for one in values:
            self._check_number(name, one)

    def _check_number(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}; give a number {self.range_text()}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{name} is {value}; it must lie {self.range_text()}")
        if self.is_whole and value != int(value):
            raise ValueError(f"{name} is {value}; give a whole number {self.range_text()}")

    def range_text(self) -> str:
        """Its values, for people: `from 0 to 100 px`, `gray or colour`."""
        if self.choices:
            return _either(self.choices)
        return f"from {self.low:g} to {self.high:g}" + f" {self.unit}" * bool(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The quantity that a strength stands for: `zero` at strength 0, `full` at strength 1.

    In between it is linear. `zero` may be the larger of the two, as of the quality of JPEG.
    """

    name: str
    meaning: str
    zero: float
    full: float
    unit: str = ""
    is_whole: bool = False

    def value(self, strength: float) -> float:
        """What a strength in [0, 1] stands for; a whole number where there are no others."""
        value = self.zero + strength * (self.full - self.zero)
        return float(round(value)) if self.is_whole else value

    def strength(self, value: float) -> float:
        """The strength in [0, 1], rounded to six decimals, that stands for `value`.

        Raises:
            ValueError: the value is none, or lies outside.
        """
        self.parameter().check(self.name, value)
        return round((value - self.zero) / (self.full - self.zero), 6)

    def parameter(self) -> Parameter:
        """What may be given for it."""
        low, high = sorted((self.zero, self.full))
        return Parameter(
            meaning=self.meaning, low=low, high=high, unit=self.unit, is_whole=self.is_whole
        )


def _either(choices: tuple[Any, ...]) -> str:
    *most, last = (str(c).lower() if isinstance(c, bool) else str(c) for c in choices)
    return f"{', '.join(most)} or {last}" if most else last
