"""The tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from gends.pipeline.evaluation.tables import Cell, Sheet, datasets_of, metric_heading, sheets_of


def to_markdown(summary: pa.Table, notes: Sequence[str]) -> str:
    """All tables of all datasets, after what has to be known to read them."""
    parts = ["# Evaluation", "\n".join(f"- {_escaped(note)}" for note in notes)]
    for name, rows in datasets_of(summary):
        parts.append(f"## {_escaped(name)}")
        for sheet in sheets_of(rows):
            parts += [f"### {sheet.title}", _table(sheet)]
    return "\n\n".join(parts) + "\n"


def _table(sheet: Sheet) -> str:
    heads = [*sheet.labels, *(metric_heading(*metric) for metric in sheet.metrics)]
    lines = [_line(heads), _line(["---"] * len(sheet.labels) + ["---:"] * len(sheet.metrics))]
    lines += [_line([*map(_escaped, labels), *map(_text, cells)]) for labels, cells in sheet.rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    interval = "" if cell.low is None else f" [{cell.low}, {cell.high}]"
    return f"{cell.value}{interval}" + ("" if cell.pairs is None else f" (n={cell.pairs})")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
