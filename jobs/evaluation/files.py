"""The files of an evaluation."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gends.pipeline.evaluation.latex import to_latex
from gends.pipeline.evaluation.markdown import to_markdown
from gends.pipeline.evaluation.plots import plot
from gends.pipeline.evaluation.score import Scores
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store, room_in

RECORD = "evaluation.json"
"""Written last: an evaluation without it is not whole."""
TABLES, TEXTS, PLOTS = ("pairs.parquet", "groups.parquet"), ("tables.md", "tables.tex"), "plots"
PACKAGES = ("gends", "torch", "numpy", "pillow")


def check_free(out: Path | None, *, overwrite: bool) -> None:
    """Raise ValueError where an evaluation would be written over anything without being asked to.

    Also where it could not be written, as what it is to replace lies behind a link.
    """
    if out is None:
        return
    if (out / PLOTS).is_symlink():
        raise ValueError(f"{out / PLOTS} is a link: nothing is replaced behind one; remove it")
    if overwrite:
        return
    if (out / RECORD).exists():
        raise ValueError(f"{out} holds an evaluation; name another folder, or --overwrite it")
    for name in (*TABLES, *TEXTS):
        if os.path.lexists(out / name):
            raise ValueError(
                f"{out / name} is there, and no {RECORD} says that it is of an evaluation; "
                "name another folder, or --overwrite it"
            )


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
    store = open_store(out)
    for earlier in _earlier_plots(out):  # of datasets that may not be among these
        store.remove(f"{PLOTS}/{earlier}")
    store.remove(RECORD)
    for name, table in zip(TABLES, (_pairs(scores), summary), strict=True):
        with store.publish(name) as file:
            pq.write_table(table, file, compression="zstd")
    for name, write in zip(TEXTS, (to_markdown, to_latex), strict=True):
        _publish(store, name, write(summary, notes).encode())
    with tempfile.TemporaryDirectory(prefix="gends-") as scratch, room_in(scratch):
        plots = plot(summary, Path(scratch))
        for path in plots:
            _publish(store, f"{PLOTS}/{path.name}", path.read_bytes())
    record = {
        **facts,
        "versions": {name: version(name) for name in PACKAGES},
        PLOTS: sorted(path.name for path in plots),
    }
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    _publish(store, RECORD, f"{text}\n".encode())


def _publish(store: Store, name: str, data: bytes) -> None:
    with store.publish(name) as file:
        file.write(data)


def _earlier_plots(out: Path) -> list[str]:
    """Names of the plots that an evaluation drew; others in their folder are not its own."""
    try:
        names = json.loads((out / RECORD).read_text("utf-8"))[PLOTS]
        return [name for name in names if Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _pairs(scores: Mapping[str, Scores]) -> pa.Table:
    """One row per pair of all datasets, `data` first."""
    tables = []
    for name, found in scores.items():
        column = pa.array([name] * len(found.table), pa.string())
        tables.append(found.table.add_column(0, "data", column))
    return pa.concat_tables(tables)
