"""Objects in JSON files, read strictly: what is damaged is named, never replaced by a default."""

from __future__ import annotations

import json
import reprlib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON ({error}); copy the file anew") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected an object, got {reprlib.repr(found)}")
    return found


def construct(cls: type[T], values: object) -> T:
    """A dataclass whose fields all have defaults, from what JSON says of some of them.

    Raises:
        ValueError: unknown keys, values of another type than the default's, or what the class
            itself refuses.
    """
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, got {reprlib.repr(values)}")
    kinds = {
        field.name: type(
            field.default_factory() if field.default_factory is not MISSING else field.default
        )
        for field in fields(cls)  # type: ignore[arg-type]
    }
    for name, value in values.items():
        if name not in kinds:
            raise ValueError(f"unknown key {name!r}; known: {', '.join(kinds)}")
        allowed = (float, int) if kinds[name] is float else (kinds[name],)
        if type(value) not in allowed:
            raise ValueError(f"{name} is {reprlib.repr(value)}; give {kinds[name].__name__}")
    try:
        return cls(**values)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{reprlib.repr(values)}: {error}") from error
