"""What was done to a picture, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gends.models.parametric.catalog import OPERATIONS
from gends.pipeline.format.recipe import Recipe


def recipe_text(recipe: Recipe) -> str:
    """As `haze 0.28 > noise sigma 12 | rain 0.4`: steps in order, regions with | between.

    After an operation stands what its strength stands for, or the strength itself; after what a
    model painted the mu that was asked for. (The font of sheets has no arrows.)
    """
    count = 1 if recipe.regions is None else recipe.regions.count
    regions = [" > ".join(map(_step, recipe.of_region(region))) for region in range(count)]
    return " | ".join(text or "untouched" for text in regions)


def _step(step: Mapping[str, Any]) -> str:
    op = step["op"]
    if step["engine"] != "parametric":
        asked = step["mu_target"]
        return op if asked is None else f"{op} mu {asked:.2g}"
    strength = step["parameters"]["strength"]
    operation = OPERATIONS.get(op)
    if operation is None or operation.scale is None:
        return f"{op} {strength:.2g}"
    return f"{op} {operation.scale.name} {operation.scale.value(strength):.3g}"
