"""The table of what `parametric.py` measured: python benchmarks/parametric_table.py FIGURES.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LIBRARIES = "albumentations", "imagecorruptions", "kornia"


def main(figures: Path) -> None:
    print(markdown(json.loads(figures.read_text())))


def markdown(figures: dict[str, Any]) -> str:
    """A line for each operation, the reasons of what could not be measured below."""
    rows = {(row["operation"], row["size"]): row for row in figures["rows"]}
    names = list(dict.fromkeys(name for name, _ in rows))
    sizes = sorted({size for _, size in rows})
    heads = ["", *(f"pairs/s, {size} px" for size in sizes)]
    heads += [f"alone, {sizes[-1]} px"]
    heads += [f"times {library}, {sizes[-1]} px" for library in LIBRARIES]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in names:
        paces = [f"{rows[name, size]['pairs_per_second']:.0f}" for size in sizes]
        paces.append(f"{rows[name, sizes[-1]]['alone_per_second']:.0f}")
        rivals = {r["library"]: r for r in rows[name, sizes[-1]]["rivals"]}
        lines.append(_line([f"`{name}`", *paces, *(_cell(rivals.get(n)) for n in LIBRARIES)]))
    lines += ["", "**=** the same formula at the same setting; ≈ the same degradation otherwise."]
    return "\n".join([*lines, *_reasons(figures)])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(rival: dict[str, Any] | None) -> str:
    if rival is None or "reason" in rival:
        return "–"
    return f"{'**=**' if rival['same'] else '≈'} {rival['ratio']:.2f}"


def _reasons(figures: dict[str, Any]) -> list[str]:
    texts = [
        f"- {rival['library']} {rival['function']}: {rival['reason']}"
        for row in figures["rows"]
        for rival in row["rivals"]
        if "reason" in rival
    ]
    return list(dict.fromkeys(texts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
