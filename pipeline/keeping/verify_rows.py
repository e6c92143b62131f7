"""Check the rows of a manifest against the plan, which decides most of what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gends.pipeline.format.manifest import Row, float32
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.making.row import planned_row
from gends.pipeline.types import CATALOG_REASONS, Request, View


def row_problems(dataset: Dataset, shard: int, rows: list[Row]) -> Iterator[str]:
    """What is not as planned: keys that are missing or foreign, or else columns of rows."""
    planned = {
        request.key: (view, request)
        for unit in dataset.plan.units(shard)
        for view in unit.views
        for request in view.requests
    }
    keys = [row["key"] for row in rows]
    if keys != sorted(planned):
        missing, foreign = planned.keys() - set(keys), set(keys) - planned.keys()
        if missing or foreign:
            yield f"{len(missing)} planned keys missing, {len(foreign)} foreign"
        else:
            yield "keys repeated or out of order"
        return
    found = {row["key"]: _wrong_columns(row, shard, *planned[row["key"]]) for row in rows}
    wrong = {key: ", ".join(columns) for key, columns in found.items() if columns}
    if wrong:
        key, columns = next(iter(wrong.items()))
        yield f"{len(wrong)} rows are not as planned; the first, {key}, in {columns}"


def _wrong_columns(row: Row, shard: int, view: View, request: Request) -> list[str]:
    planned = planned_row(shard, view, request)
    wrong = [name for name, value in planned.items() if not _same(row[name], value)]
    attempts = range(len(request.seeds))
    if row["attempt"] not in attempts or row["seed"] != request.seeds[row["attempt"]]:
        wrong.append("seed")
    if not _can_end_so(row, view):
        wrong.append("reason")
    return wrong


def _same(found: Any, planned: Any) -> bool:
    if isinstance(planned, float) and isinstance(found, float):
        return float32(found) == float32(planned)
    return bool(found == planned)


def _can_end_so(row: Row, view: View) -> bool:
    """Whether status and reason go together, and with what the catalog knows."""
    clean, known = view.clean, None
    if clean.problem is not None:
        known = "bad_source"
    elif clean.duplicate_of is not None:
        known = "duplicate"
    if known or row["reason"] in CATALOG_REASONS:
        return (row["status"], row["reason"]) == ("failed", known)
    return bool(row["status"] == "accepted") == (row["reason"] is None)
