"""What makes two runs, or the data of two, the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def differences(found: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Where two identities (JSON values) disagree, in words; empty where they are the same.

    A list and a tuple of equal values are the same: identities are stored as JSON.
    """
    return "; ".join(_differences(found, json.loads(json.dumps(dict(given)))))


def _differences(found: Any, given: Any, name: str = "") -> list[str]:
    if isinstance(found, Mapping) and isinstance(given, Mapping):
        return [
            line
            for key in sorted(found.keys() | given.keys())
            for line in _differences(
                found.get(key), given.get(key), f"{name}.{key}" if name else str(key)
            )
        ]
    return [] if found == given else [f"{name} was {found!r} and is now {given!r}"]
