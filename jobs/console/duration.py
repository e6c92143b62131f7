"""How long something took, as people read it."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
