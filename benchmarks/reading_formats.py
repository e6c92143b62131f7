"""The pairs of a dataset in the formats of the readers that `reading.py` compares.

Nothing is decoded or encoded: what is stored are the bytes of the shards.
"""

# ruff: noqa: PLC0415  only what is installed can be imported

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reading_readers import EncodedPairs

CHUNK_BYTES = 64 << 20
"""What litdata's examples and mosaicml's default say."""


def write_wids_index(root: Path, folder: Path) -> None:
    from gends.pipeline.export.wids import write_wids

    write_wids(root, folder / "wids.json")


def write_litdata(root: Path, folder: Path) -> None:
    import litdata

    litdata.optimize(
        fn=functools.partial(_sample, root),
        inputs=list(range(len(EncodedPairs(root)))),
        output_dir=str(folder / "litdata"),
        chunk_bytes=CHUNK_BYTES,
        num_workers=1,
        verbose=False,
    )


def _sample(root: Path, index: int) -> dict[str, Any]:
    return EncodedPairs(root)[index]


def write_mds(root: Path, folder: Path) -> None:
    from streaming import MDSWriter

    columns = {"key": "str", "lq": "bytes", "gt": "bytes"}
    pairs = EncodedPairs(root)
    with MDSWriter(out=str(folder / "mds"), columns=columns, size_limit=CHUNK_BYTES) as out:
        for index in range(len(pairs)):
            out.write(pairs[index])


def write_arrow(root: Path, folder: Path) -> None:
    """Through gends' own export, whose pictures stay encoded until they are asked for."""
    import datasets

    from gends.pipeline.export.formats import export
    from gends.pipeline.export.selection import Selection

    exported, cache = folder / "huggingface", folder / "cache"
    export("huggingface", root, exported, selection=Selection())
    splits = datasets.load_dataset(str(exported), cache_dir=str(cache))
    table = datasets.concatenate_datasets(list(splits.values()))
    for part in ("lq", "gt"):
        table = table.cast_column(part, datasets.Image(decode=False))
    table.select_columns(["key", "lq", "gt"]).save_to_disk(folder / "arrow")
    shutil.rmtree(exported)
    shutil.rmtree(cache)


WRITERS: dict[str, Callable[[Path, Path], None]] = {
    "wids": write_wids_index,
    "litdata": write_litdata,
    "mosaicml": write_mds,
    "huggingface": write_arrow,
}
"""By the names of READERS; the others read the shards as they are."""
