"""Ten levels of every operation, between which the mean severity rises in even steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from gends.models.parametric.catalog import operation_named
from gends.models.parametric.operation import Operation

LEVELS = 10
FILE = Path(str(resources.files("gends.models.parametric") / "levels.json"))
COMMAND = "python -m gends.models.parametric.calibrate PHOTOS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels of one operation, the mildest first, and how they were measured."""

    version: int
    """Of the operation that was measured."""
    usual: tuple[float, float]
    """Its range of strengths then."""
    photographs: int
    seeds: int
    """Draws of parameters and fields on each photograph."""
    strengths: tuple[float, ...]
    """Operations with fewer settings than levels repeat some."""
    mu: tuple[float, ...]
    """Mean over photographs and draws of the mean of |lq − gt|, RGB in [0, 1]."""
    sigma: tuple[float, ...]
    """Mean over photographs and draws of the standard deviation of |lq − gt|."""
    reach: float
    """Largest mu at strength 1, of all photographs and draws: no picture is asked for more."""


def level_strengths(name: str) -> tuple[float, ...]:
    """Strengths of the ten levels of an operation, level 1, the mildest, first.

    Raises:
        ValueError: there is no such operation, or its levels are not measured.
    """
    return levels_of(operation_named(name)).strengths


def levels_of(operation: Operation) -> Levels:
    """The levels of an operation.

    Raises:
        ValueError: they are not measured, or another version's are; it says the way out.
    """
    levels = stored_levels().get(operation.name)
    if reason := staleness(operation, levels):
        raise ValueError(reason)
    assert levels is not None
    return levels


def staleness(operation: Operation, levels: Levels | None) -> str:
    """Why `levels` are none of `operation` as it is, with the way out; empty where they are."""
    name = operation.name
    if levels is None:
        return f"the levels of {name} are not measured: run {COMMAND}"
    if levels.version != operation.version:
        return (
            f"the levels of {name} are those of version {levels.version}, here is version "
            f"{operation.version}: run {COMMAND}"
        )
    if levels.usual != operation.usual:
        was, now = list(levels.usual), list(operation.usual)
        return f"the levels of {name} are of strengths {was}, usual are now {now}: run {COMMAND}"
    return ""


@cache
def stored_levels() -> Mapping[str, Levels]:
    """What is stored beside this file, by the operation's name."""
    return read(FILE)


def read(path: Path) -> dict[str, Levels]:
    """The levels in a file; none where there is no file."""
    if not path.is_file():
        return {}
    content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: _decoded(entry) for name, entry in content.items()}


def _decoded(entry: Mapping[str, Any]) -> Levels:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Levels(**fields)


def write(levels: Mapping[str, Levels], path: Path) -> None:
    """Store levels, one line to each field, so that changes can be read."""
    entries = [
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in asdict(one).items())
        + "\n  }"
        for name, one in levels.items()
    ]
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")
