"""What makes two runs, datasets or caches the same, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def compare(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name and both values of everything in which two trees of JSON values disagree."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield name, old, new
        return
    prefix = f"{name}." if name else ""
    for key in sorted(old.keys() | new.keys()):
        yield from compare(old.get(key), new.get(key), f"{prefix}{key}")


def differences(found: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Where two identities (JSON values) disagree, in words; empty where they are the same.

    A list and a tuple of equal values are the same: identities are stored as JSON.
    """
    found_and_given = compare(found, json.loads(json.dumps(dict(given))))
    return "; ".join(f"{name} was {old!r} and is now {new!r}" for name, old, new in found_and_given)
