"""The tables of what `reading.py` measured: python benchmarks/reading_table.py FIGURES.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reading_readers import READERS
from reading_shapes import WORKLOADS

OURS = "gends-loader", "gends-dataset"
SPEED, CPU, MEMORY = "second_pairs_per_second", "second_cpu_ms_per_pair", "peak_mb"
Rows = dict[tuple[str, int], dict[str, Any]]
"""By reader and number of workers."""


def main(figures: Path) -> None:
    print(markdown(json.loads(figures.read_text())))


def markdown(figures: dict[str, Any]) -> str:
    """A table for each workload, the reasons of empty cells below it."""
    workloads = [name for name in WORKLOADS if name in figures["rounds"]]
    return "\n\n".join(_section(figures, name) for name in workloads)


def _section(figures: dict[str, Any], workload: str) -> str:
    rows: Rows = {
        (row["reader"], row["workers"]): row
        for row in figures["figures"]
        if row["workload"] == workload
    }
    workers = sorted({number for _, number in rows})
    readers = [name for name in READERS if any(name == reader for reader, _ in rows)]
    rounds = figures["rounds"][workload]
    lines = [
        f"{WORKLOADS[workload].capitalize()}; {rounds} round{'s' * (rounds != 1)}:",
        "",
        _line(["", *(f"{part}, {n}" for part in ("pairs/s", "CPU", "MB") for n in workers)]),
        _line(["---"] * (1 + 3 * len(workers))),
    ]
    lines += [_line([READERS[name].name, *_cells(name, rows, workers)]) for name in readers]
    lines += [_line(["**gends, the better**, to the best other", *_ratios(rows, workers)])]
    return "\n".join([*lines, "", *_notes(figures, rows)]).rstrip()


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(name: str, rows: Rows, workers: list[int]) -> list[str]:
    found = [rows[name, number] for number in workers]
    speeds = [
        "–" if "reason" in row else f"{row['first_pairs_per_second']:.0f} / {row[SPEED]:.0f}"
        for row in found
    ]
    cpus = ["–" if "reason" in row else f"{row[CPU]:.2f}" for row in found]
    return speeds + cpus + ["–" if "reason" in row else f"{row[MEMORY]:.0f}" for row in found]


def _ratios(rows: Rows, workers: list[int]) -> list[str]:
    found = []
    for name, best in ((SPEED, max), (CPU, min), (MEMORY, min)):
        for number in workers:
            mine = [row for (_, count), row in rows.items() if count == number and name in row]
            ours = [row[name] for row in mine if row["reader"] in OURS]
            others = [row[name] for row in mine if row["reader"] not in OURS]
            found.append(f"{best(ours) / best(others):.2f} ×" if ours and others else "–")
    return found


def _notes(figures: dict[str, Any], rows: Rows) -> list[str]:
    """Why cells are empty and readers missing, and where memory begins."""
    found: dict[str, list[str]] = {}
    for (reader, number), row in rows.items():
        if "reason" in row:
            found.setdefault(f"{READERS[reader].name}: {row['reason']}", []).append(str(number))
    texts = [f"{text} ({', '.join(numbers)} workers)." for text, numbers in found.items()]
    texts += [f"{READERS[name].name}: not installed." for name in figures["missing"]]
    texts.append(f"MB with torch imported and nothing read: {figures['torch_mb']:.0f}.")
    return [f"- {text}" for text in texts]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
