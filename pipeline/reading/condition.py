"""Conditions on the columns of a manifest, as a user writes them: `mu>=0.1`, `split=test`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gends.pipeline.format.manifest import SCHEMA
from gends.pipeline.names import printable

_CONDITION = re.compile(r"\s*(\w+)(?:\.(\w+))?\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
_COMPARE: dict[str, Any] = {
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column with a value. Rows without a value do not meet it."""

    text: str
    """As it was written."""
    expression: pc.Expression
    """Of pyarrow, for `Table.filter` and `gends.PairDataset(where=...)`."""


def parse_condition(text: str) -> Condition:
    """Read `COLUMN OPERATOR VALUE`, the operator one of = == != < <= > >=.

    COLUMN is a column of the manifest, or `metrics.NAME` for a quality metric. VALUE has the type
    of the column; text stands without quotes.

    Raises:
        ValueError: it is no such condition, there is no such column, or the value does not fit it.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{printable(text)!r} is no condition; write it like mu>=0.1 or split=test"
        )
    column, metric, operator, value = match.groups()
    if column not in SCHEMA.names:
        raise ValueError(f"no column {column!r} in a manifest; there are {', '.join(SCHEMA.names)}")
    kind = SCHEMA.field(column).type
    if pa.types.is_map(kind) != (metric is not None):
        raise ValueError(f"{printable(text)!r}: metrics, and only they, are named metrics.NAME")
    found: pc.Expression = pc.field(column)
    if metric is not None:
        found, kind = pc.map_lookup(found, pa.scalar(metric), "first"), kind.item_type
    try:
        wanted = pa.scalar(value).cast(kind)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{printable(text)!r}: {column} holds {kind}: {error}") from error
    return Condition(text, _COMPARE[operator](found, wanted))
