"""What lies among the shards and manifests of a dataset and is none of its own."""

from __future__ import annotations

from collections.abc import Iterator

from gends.pipeline.format.manifest import numbers
from gends.pipeline.keeping.dataset import Dataset
from gends.pipeline.names import printable

WHAT = {
    "shards": "not in the plan; no build of this dataset made it: move it away",
    "manifest": "not in the plan; programs that open all of manifest/ would read it: move it away",
}


def foreign_files(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Name (safe to print) and fault of what is in `shards/` and `manifest/` and not planned."""
    for folder, suffix in (("shards", ".tar"), ("manifest", ".parquet")):
        for name in dataset.store.names(folder):
            if not any(shard < dataset.plan.num_shards for shard in numbers([name], suffix)):
                yield printable(f"{folder}/{name}"), WHAT[folder]
