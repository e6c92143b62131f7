"""What a source holds beside photographs: counted by kind, so that nothing is left out unsaid."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gends.pictures.formats import unreadable_suffix
from gends.pipeline.names import printable

MOST_KINDS = 100
MOST_EXAMPLES = 3
_LONGEST_ENDING = 12


class PassedOver:
    """Counts what is not used. Memory does not grow with the number of files."""

    def __init__(self) -> None:
        """Nothing was passed over yet."""
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, name: str, count: int = 1) -> None:
        """Count one thing, or `count` of them; `name` says which it is, or where."""
        if kind not in self._counts and len(self._counts) >= MOST_KINDS:
            kind = "other kinds"
        self._counts[kind] += count
        examples = self._examples.setdefault(kind, [])
        examples.append(name[:200])
        # Folders are listed in no order, and the same source is to be told alike.
        examples.sort(key=lambda name: (len(name), name))
        del examples[MOST_EXAMPLES:]

    def facts(self) -> dict[str, Any]:
        """Kind → `count` and up to three `examples`, safe to print."""
        return {
            printable(kind): {
                "count": self._counts[kind],
                "examples": [printable(name) for name in self._examples[kind]],
            }
            for kind in sorted(self._counts)
        }

    def text(self) -> str:
        """One line for people; empty where nothing was passed over."""
        parts = [
            f"{kind} {of['count']} ({', '.join(of['examples'])}{', …' * _more(of)})"
            for kind, of in self.facts().items()
        ]
        if not parts:
            return ""
        hints = {hint for kind in self._counts if (hint := unreadable_suffix(kind))}
        return "; ".join([f"passed over: {', '.join(parts)}", *sorted(hints)])


def _more(of: dict[str, Any]) -> bool:
    return bool(of["count"] > len(of["examples"]))


def ending(name: str) -> str:
    """What kind of file a name tells of: `.pgm`, `.tar.gz`, or that it does not."""
    stem, dot, last = name.rpartition("/")[2].lower().rpartition(".")
    if not dot:
        return "no ending"
    if not last.isalnum() or len(last) > _LONGEST_ENDING:
        return "other endings"
    return f".tar.{last}" if stem.endswith(".tar") else f".{last}"


def is_hidden(path: str) -> bool:
    """Whether a part of a path hides it, as `._a.jpg` and `__MACOSX/` of an archive program do."""
    parts = path.split("/")
    return any(
        part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts
    )
