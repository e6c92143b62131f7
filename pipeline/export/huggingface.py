"""Parquet with pictures inside, which Hugging Face `datasets` opens as a folder or from its hub."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
import yaml

from gends.pipeline.export.pair import Pair
from gends.pipeline.format.manifest import CHECKSUMS, RANGES, SCHEMA, member_json
from gends.pipeline.reading.reader import PAIR

FILE_BYTES = 500_000_000
"""Of pictures in one file: what the hub recommends."""
GROUP_PAIRS = 100
"""Rows that a reader has to load at a time."""
_SPLIT = re.compile(r"\w+(\.\w+)*")
"""What `datasets` takes as the name of a split."""
_APART = {*RANGES, *CHECKSUMS, "shard", "status", "reason"}
"""Columns that are about the shards."""
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
DISK = pa_fs.LocalFileSystem()
"""Without it pyarrow looks whether a path is a URL."""
FACTS = [field for field in SCHEMA if field.name not in _APART]


def write_huggingface(
    pairs: Iterable[Pair], folder: Path, out: Path, members: Sequence[str] = ()
) -> list[str]:
    """Write data/SPLIT-NNNNN.parquet and the card that names the splits.

    Columns are `lq`, `gt` and what is stored beside pairs and was asked for (`Image`, the shards'
    own bytes; null where a pair has none) and those of the manifest that are
    about the pair; `metrics` is text that holds JSON, because `datasets` knows no map type.

    Raises:
        ValueError: a split whose name `datasets` refuses.
    """
    (folder / "data").mkdir()
    with ExitStack() as files:
        splits: dict[str, _Split] = {}
        for pair in pairs:
            name = pair.row["split"]
            if name not in splits:
                splits[name] = files.enter_context(_Split(folder / "data", name, members))
            splits[name].add(pair)
    (folder / "README.md").write_text(_card(list(splits)), encoding="utf-8")
    return [f"datasets.load_dataset({str(out)!r})"]


class _Split:
    """Parquet files of one split, a new one whenever the last is large enough."""

    def __init__(self, folder: Path, name: str, members: Sequence[str]) -> None:
        if not _SPLIT.fullmatch(name):
            raise ValueError(
                f"datasets takes no split called {name!r} (letters, digits, _ and .); "
                "leave it out with --split"
            )
        self._folder = folder
        self._name = name
        self._schema = _schema(members)
        self._file: pq.ParquetWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._count = Counter[str]()

    def __enter__(self) -> _Split:
        return self

    def __exit__(self, *error: object) -> None:
        self._flush()
        self._close()

    def add(self, pair: Pair) -> None:
        self._rows.append(_row(pair))
        self._count["bytes"] += len(pair.gt) + len(pair.lq) + sum(map(len, pair.members.values()))
        if len(self._rows) == GROUP_PAIRS:
            self._flush()
        if self._count["bytes"] >= FILE_BYTES:
            self._flush()
            self._close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._file is None:
            path = self._folder / f"{self._name}-{self._count['files']:05d}.parquet"
            # Pictures do not get smaller.
            facts = [field.name for field in FACTS]
            self._file = pq.ParquetWriter(
                path, self._schema, compression=dict.fromkeys(facts, "zstd"), filesystem=DISK
            )
        self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._count["files"] += 1
            self._count["bytes"] = 0


def _schema(members: Sequence[str]) -> pa.Schema:
    fields = [pa.field(part, _PICTURE) for part in (*reversed(PAIR), *members)]
    fields += [
        pa.field("metrics", pa.string()) if field.name == "metrics" else field for field in FACTS
    ]
    # `datasets` writes and reads its types here.
    features: dict[str, dict[str, str]] = {
        field.name: {"_type": "Image"}
        if field.type == _PICTURE
        else {"dtype": _dtype(field.type), "_type": "Value"}
        for field in fields
    }
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _dtype(kind: pa.DataType) -> str:
    return {"float": "float32"}.get(str(kind), str(kind))


def _row(pair: Pair) -> dict[str, Any]:
    row = {field.name: pair.row[field.name] for field in FACTS}
    row["metrics"] = json.dumps(json.loads(member_json(pair.row))["metrics"])
    for part in PAIR:
        name = f"{pair.key}.{part}.{pair.suffix}"
        row[part] = {"bytes": getattr(pair, part), "path": name}
    for part, data in pair.members.items():
        row[part] = {"bytes": data, "path": f"{pair.key}.{part}.png"}
    return row


def _card(splits: list[str]) -> str:
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in sorted(splits)]
    facts = {"configs": [{"config_name": "default", "data_files": files}]}
    return (
        f"---\n{yaml.safe_dump(facts, sort_keys=False)}---\n\n"
        "Degraded/clean pairs, exported by gends: `lq` is the degraded picture, `gt` what a "
        "restorer\nshould make of it; `mu` and `sigma` are the mean and the standard deviation of "
        "their\nabsolute difference, in [0, 1].\n"
    )
