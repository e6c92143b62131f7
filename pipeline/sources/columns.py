"""The columns of a table of photographs, found among those that it has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from gends.pipeline.names import nearest, printable
from gends.pipeline.sources.passed_over import PassedOver

COLUMNS = ("uri", "source_id", "dataset", "degradation", "caption", "split")
FACTS = frozenset({"dataset", "degradation", "caption", "split"})
"""Those that a tar's JSON may state."""
_NEAR = 0.81
"""Similarity from which a name is taken for a slip; `source` is another word than `source_id`."""


def find_columns(path: Path, names: Sequence[str], passed_over: PassedOver) -> dict[str, int]:
    """Known column → where it stands among `names`, space around which does not matter.

    Raises:
        ValueError: there is no `uri`, a column twice, or one that is nearly called as one that is
            missing.
    """
    found: dict[str, int] = {}
    for exact in (True, False):
        for position, name in enumerate(names):
            known = name if exact else name.strip()
            if known not in COLUMNS or position in found.values():
                continue
            if known in found and names[found[known]] == name:
                raise ValueError(f"column {known!r} occurs twice; drop one or rename it")
            found.setdefault(known, position)
    missing = [name for name in COLUMNS if name not in found]
    for position, name in enumerate(names):
        if position in found.values():
            continue
        if near := near_column(name, missing):
            raise ValueError(
                f"column {printable(name)!r:.60} is not known; did you mean {near!r}? "
                "Rename it, or drop it if not"
            )
        hint = nearest(name, missing)
        passed_over.add("unused columns", f"{name}, {hint}" if hint else name)
    if "uri" in missing:
        raise ValueError(_no_uri(path, names))
    return found


def near_column(name: str, missing: Collection[str]) -> str | None:
    """Which of the names that are missing somebody surely meant by this one."""
    plain = {_letters(known): known for known in missing}
    if known := plain.get(_letters(name)):
        return known
    near = difflib.get_close_matches(name.strip().casefold(), missing, n=1, cutoff=_NEAR)
    return near[0] if near else None


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _no_uri(path: Path, names: Sequence[str]) -> str:
    if len(names) == 1 and "uri" in re.split(r"[\W]+", names[0]):
        return (
            f"its first line, {printable(names[0])!r:.90}, names one column; what separates "
            "columns is a comma in .csv, a tab in .tsv"
        )
    shown = printable(", ".join(names[:20])) + ", …" * (len(names) > 20)
    return f"no column 'uri' among {shown or 'no columns'}; known columns: {', '.join(COLUMNS)}"
