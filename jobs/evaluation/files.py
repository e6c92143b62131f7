"""The files of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gends.pipeline.evaluation.latex import to_latex
from gends.pipeline.evaluation.markdown import to_markdown
from gends.pipeline.evaluation.plots import FORMATS, plot
from gends.pipeline.evaluation.score import Scores
from gends.pipeline.storage.store import room_in

RECORD = "evaluation.json"
"""Written last: an evaluation without it is not whole."""
PACKAGES = ("gends", "torch", "numpy", "pillow")


def check_free(out: Path | None, *, overwrite: bool) -> None:
    """Raise ValueError where an evaluation would be written over another without being asked to."""
    if out is not None and (out / RECORD).exists() and not overwrite:
        raise ValueError(f"{out} holds an evaluation; name another folder, or --overwrite it")


def write_evaluation(
    out: Path,
    scores: Mapping[str, Scores],
    summary: pa.Table,
    notes: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Write tables, plots, every pair's figures, and last a record of how they came about.

    Args:
        out: folder, made if need be.
        scores: per dataset.
        summary: rows of `summary.SCHEMA`, of all datasets.
        notes: what stands with the tables.
        facts: JSON values for the record.
    """
    with room_in(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / RECORD).unlink(missing_ok=True)
        pq.write_table(_pairs(scores), out / "pairs.parquet", compression="zstd")
        pq.write_table(summary, out / "groups.parquet", compression="zstd")
        (out / "tables.md").write_text(to_markdown(summary, notes), encoding="utf-8")
        (out / "tables.tex").write_text(to_latex(summary, notes), encoding="utf-8")
        for path in (out / "plots").glob("*"):  # of datasets that may not be among these
            if path.suffix[1:] in FORMATS:
                path.unlink()
        plot(summary, out / "plots")
        record = {**facts, "versions": {name: version(name) for name in PACKAGES}}
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        (out / RECORD).write_text(f"{text}\n", encoding="utf-8")


def _pairs(scores: Mapping[str, Scores]) -> pa.Table:
    """One row per pair of all datasets, `data` first."""
    tables = []
    for name, found in scores.items():
        column = pa.array([name] * len(found.table), pa.string())
        tables.append(found.table.add_column(0, "data", column))
    return pa.concat_tables(tables)
