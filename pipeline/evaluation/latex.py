"""The tables in LaTeX, with the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from gends.pipeline.evaluation.tables import (
    Cell,
    Sheet,
    datasets_of,
    metric_heading,
    numbered,
    sheets_of,
)

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "µ": r"$\mu$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
ARROWS = (r"$\uparrow$", r"$\downarrow$")


def to_latex(summary: pa.Table, notes: Sequence[str]) -> str:
    """One `table` per table; the notes are comments at the head and stand under each table."""
    head = [
        f"% {line}" for note in ("Needs \\usepackage{booktabs}.", *notes) for line in _lines(note)
    ]
    found = [(name, sheet) for name, rows in datasets_of(summary) for sheet in sheets_of(rows)]
    slugs = numbered(_slug(name, sheet) for name, sheet in found)
    tables = [
        _table(sheet, name, slug, notes) for (name, sheet), slug in zip(found, slugs, strict=True)
    ]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda match: SPECIAL[match[0]], text)


def _lines(note: str) -> list[str]:
    return note.splitlines() or [""]


def _slug(name: str, sheet: Sheet) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{name} {sheet.title}".lower()).strip("-")


def _table(sheet: Sheet, name: str, slug: str, notes: Sequence[str]) -> str:
    heads = [
        escaped(label).replace("mu", r"$\mu$") if label == "mu" else escaped(label)
        for label in sheet.labels
    ]
    heads += [
        escaped(metric_heading(metric, False, ("", ""))).strip() + " " + ARROWS[lower]
        for metric, lower in sheet.metrics
    ]
    columns = "l" * len(sheet.labels) + "r" * len(sheet.metrics)
    body: list[str] = []
    for number, (labels, cells) in enumerate(sheet.rows):
        if number and labels[:-1] != sheet.rows[number - 1][0][:-1]:
            body.append(r"\addlinespace")
        body.append(" & ".join([*map(escaped, labels), *map(_text, cells)]) + r" \\")
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(name)}: {escaped(sheet.title.lower())}.}}",
            rf"\label{{tab:{slug}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize {escaped(' '.join(_lines(note)))}" for note in notes),
            r"\end{table}",
        ]
    )


def _text(cell: Cell | None) -> str:
    if cell is None:
        return "--"
    interval = "" if cell.low is None else rf" {{\scriptsize [{cell.low}, {cell.high}]}}"
    counted = "" if cell.pairs is None else rf" {{\scriptsize (n={cell.pairs})}}"
    return f"{cell.value}{interval}{counted}"
