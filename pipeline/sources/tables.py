"""Tables of photographs: CSV, TSV and Parquet, whose rows are read in bounded memory."""

from __future__ import annotations

import csv
import os
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gends.pipeline.sources.columns import find_columns
from gends.pipeline.sources.lines import LineError, opened, unusable
from gends.pipeline.sources.own_output import own_table, refusal
from gends.pipeline.sources.samples import optional
from gends.pipeline.sources.source_options import SourceOptions
from gends.pipeline.types import MOST_PATH, MOST_TEXT_OF_ROW, SourceRow

MOST_LINE = 1 << 20
"""Characters of a line in a CSV file."""
MOST_CHUNK = 1 << 29
"""Bytes that the values of one column in one row group of a Parquet file take, unpacked."""
MOST_BATCH = 1 << 24
"""Bytes of one column that are unpacked at a time."""
_ROWS = 4096
_LONGEST = 4 * max(MOST_PATH, MOST_TEXT_OF_ROW) + 4
"""Bytes of a value that are looked at: a character more than any that can be used."""


def read_csv(path: Path, options: SourceOptions) -> Iterator[SourceRow]:
    """Yield the rows of a `.csv` or `.tsv`; what cannot be used alone gives a row with a problem.

    Raises:
        ValueError: its columns cannot be used.
        OSError: it cannot be read.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    names = _header(path, delimiter, spaced=False)
    # Who writes `uri, split` writes `a.jpg, "test"` too.
    spaced = any(name != name.lstrip() for name in names)
    if spaced:
        names = _header(path, delimiter, spaced=True)
    columns = find_columns(path, names, options.passed_over)
    with opened(path, MOST_LINE) as lines:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced, strict=True)
        next(filter(None, reader), None)
        while True:
            place = f"line {lines.number + 1}"
            try:
                values = next(reader, None)
            except (csv.Error, LineError) as error:
                yield unusable(path, place, f"{place}: {error}; mend the line")
                continue
            if values is None:
                return
            if len(values) > len(names):
                yield unusable(path, place, _too_many(place, len(values), len(names)))
            elif any(value.strip() for value in values):
                cells = {name: values[at] for name, at in columns.items() if at < len(values)}
                if names[columns["uri"]] != "uri":  # as in a table whose columns are aligned
                    cells["uri"] = cells["uri"].strip()
                yield _row(path, cells, place)
            elif values:
                options.passed_over.add("blank rows", place)


def _header(path: Path, delimiter: str, *, spaced: bool) -> list[str]:
    with opened(path, MOST_LINE) as lines:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced)
        return next(filter(None, reader), [])


def _too_many(place: str, found: int, wanted: int) -> str:
    return (
        f"{place} has {found} fields, and the first line names {wanted}; put quotes around a field "
        "that holds the separator"
    )


def read_parquet(path: Path, options: SourceOptions) -> Iterator[SourceRow]:
    """Yield the rows of a Parquet table, as `read_csv` does.

    Raises:
        ValueError: its columns cannot be used, or unpack into more than `MOST_CHUNK`.
        OSError, pa.ArrowException: it cannot be read.
    """
    file = pa.OSFile(os.fsencode(path))  # a path would be read as a URL
    schema = pq.read_schema(file)
    _check_not_own(path, schema, options)
    positions = find_columns(path, schema.names, options.passed_over)
    columns = {schema.names[at]: name for name, at in positions.items()}
    kinds = {name: _text_kind(schema.field(at).type, name) for name, at in positions.items()}
    # A value that a file holds once and names in each row is to be held once in memory too.
    repeated = [name for name, known in columns.items() if kinds[known]]
    with pq.ParquetFile(file, read_dictionary=repeated) as table:
        row = 0
        for group in range(table.num_row_groups):
            size = _batch_size(table.metadata.row_group(group), columns)
            for batch in table.iter_batches(
                size, row_groups=[group], columns=list(columns), use_threads=False
            ):
                cells = {columns[name]: _texts(batch[name]) for name in batch.schema.names}
                for values in zip(*cells.values(), strict=True):
                    row += 1
                    yield from _filled(path, dict(zip(cells, values, strict=True)), row, options)


def _filled(
    path: Path, values: Mapping[str, str | None], row: int, options: SourceOptions
) -> Iterator[SourceRow]:
    if any(values.values()):
        yield _row(path, values, f"row {row}")
    else:
        options.passed_over.add("blank rows", f"row {row}")


def _check_not_own(path: Path, schema: pa.Schema, options: SourceOptions) -> None:
    keys = [key.decode("utf-8", "replace") for key in schema.metadata or {}]
    if what := own_table(keys, schema.names):
        raise ValueError(refusal(path.name, what))


def _text_kind(kind: pa.DataType, name: str) -> bool:
    """Whether a column holds text, and not numbers or nothing, which are taken for text too."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    )
    if any(fits(kind) for fits in texts):
        return True
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return False
    raise ValueError(f"column {name!r} holds {kind}; make it text")


def _batch_size(group: Any, columns: Iterable[str]) -> int:
    """Rows to unpack at a time.

    Raises:
        ValueError: the row group is too large.
    """
    chunks = [group.column(n) for n in range(group.num_columns)]
    most = 1
    for chunk in chunks:
        if chunk.path_in_schema not in columns:
            continue
        size = int(chunk.total_uncompressed_size)
        if size > MOST_CHUNK:
            raise ValueError(
                f"column {chunk.path_in_schema!r:.60} has a row group of {size} bytes, over the "
                f"most of {MOST_CHUNK}; write the table with smaller row groups"
            )
        # A value may repeat the one before and add to it: each may be as long as all are.
        repeats = any(name.startswith("DELTA_BYTE") for name in chunk.encodings)
        most = max(most, size if repeats else size // max(1, group.num_rows))
    return max(1, min(_ROWS, MOST_BATCH // most))


def _texts(column: pa.Array) -> list[str | None]:
    """Values as text; of what is too long to be used, more than can be."""
    if not pa.types.is_dictionary(column.type):
        return [optional(value) for value in column.to_pylist()]
    short = pc.binary_slice(column.dictionary.cast(pa.large_binary()), 0, _LONGEST)
    return [
        None if value is None else value.decode("utf-8", "surrogateescape") or None
        for value in short.take(column.indices).to_pylist()
    ]


def _row(path: Path, values: Mapping[str, str | None], place: str) -> SourceRow:
    known = {name: value for name, value in values.items() if value}
    texts: dict[str, Any] = {
        name: value if name in ("uri", "caption") else value.strip() or None
        for name, value in known.items()
    }
    if not texts.get("uri"):
        shown = reprlib.repr(known)
        return unusable(path, place, f"{place} has no uri: {shown}; name its file or drop it")
    return SourceRow(**texts)
