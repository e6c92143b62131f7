"""What was done to a picture, as the column `recipe` of a manifest holds it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gends.models.regions import RegionMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What was done to a picture, as the column `recipe` of a manifest holds it."""

    steps: tuple[Mapping[str, Any], ...]
    """See `gends.pipeline.making.carry_out.recorded`."""
    regions: RegionMap | None = None

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read the column.

        Raises:
            ValueError: it is no recipe.
        """
        try:
            found = json.loads(text)
            regions = RegionMap(**found["regions"]) if "regions" in found else None
            return cls(steps=tuple(map(_checked, found["steps"])), regions=regions)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no recipe ({error}): {reprlib.repr(text)}") from error

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines that take part, in order."""
        return tuple(dict.fromkeys(step["engine"] for step in self.steps))

    def of_region(self, region: int) -> list[Mapping[str, Any]]:
        """The steps of one region, in order."""
        return [step for step in self.steps if step.get("region", 0) == region]


def _checked(step: Any) -> Mapping[str, Any]:
    """A step, if it has all that it takes to make it again."""
    if step["engine"] == "parametric":
        _ = step["op"], step["seed"], step["version"], step["parameters"]["strength"]
    else:
        _ = step["op"], step["seed"], step["mu_target"], step["sigma_target"]
    checked: Mapping[str, Any] = step
    return checked
