"""Operations as JSON values and as words, for people who choose among them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import yaml

from gends.models.parametric.levels import levels_of
from gends.models.parametric.operation import Operation

MILD, SEVERE = 3, 7
"""Levels between which an example's steps lie."""


def describe(operation: Operation) -> dict[str, Any]:
    """Everything about an operation, as JSON values."""
    levels, missing = _levels(operation)
    scale = asdict(operation.scale) if operation.scale else None
    return {
        "name": operation.name,
        "summary": operation.summary,
        "stage": operation.stage,
        "label": operation.label,
        "version": operation.version,
        "source": operation.source,
        "needs_depth": operation.needs_depth,
        "gives_mask": operation.is_local,
        "scale": scale,
        "usual": list(operation.usual),
        "parameters": {
            name: asdict(parameter) | {"choices": list(parameter.choices)}
            for name, parameter in operation.parameters.items()
        },
        "levels": levels,
        "levels_missing": missing,
        "example": example(operation),
    }


def example(operation: Operation) -> str:
    """A step of a configuration, in YAML: a range of severity, and one parameter that is set."""
    step: dict[str, Any] = {"op": operation.name}
    levels, _ = _levels(operation)
    if operation.scale and levels:
        ends = sorted(levels[level - 1]["value"] for level in (MILD, SEVERE))
        whole = operation.scale.is_whole
        step[operation.scale.name] = [int(end) if whole else float(f"{end:.3g}") for end in ends]
    else:
        step["level"] = [MILD, SEVERE]
    drawn = operation.draw(np.random.default_rng(0))
    for name in list(operation.parameters)[:1]:
        step[name] = drawn[name]
    flow = yaml.safe_dump(step, default_flow_style=True, sort_keys=False, width=1000).strip()
    return f"steps:\n  - {flow}"


def range_text(described: dict[str, Any]) -> str:
    """The range of a described parameter or scale, for people."""
    if described.get("choices"):
        return ", ".join(str(choice).lower() for choice in described["choices"])
    ends = ("zero", "full") if "zero" in described else ("low", "high")
    low, high = (described[end] for end in ends)
    unit = f" {described['unit']}" if described["unit"] else ""
    whole = ", whole numbers" if described["is_whole"] else ""
    size = described.get("size", 1)
    each = f", {size} numbers" if size > 1 else ""
    return f"{numbers(low)} to {numbers(high)}{unit}{whole}{each}"


def numbers(value: float) -> str:
    """A number as short as it can be told from its neighbours."""
    return f"{value:.4g}"


def _levels(operation: Operation) -> tuple[list[dict[str, float]] | None, str]:
    try:
        levels = levels_of(operation)
    except ValueError as error:
        return None, str(error)
    scale = operation.scale
    rows = zip(levels.strengths, levels.mu, levels.sigma, strict=True)
    return [
        {"level": number, "strength": strength, "mu": mu, "sigma": sigma}
        | ({"value": scale.value(strength)} if scale else {})
        for number, (strength, mu, sigma) in enumerate(rows, 1)
    ], ""
