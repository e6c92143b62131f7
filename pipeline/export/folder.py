"""A plain folder tree: DEGRADATION/{gt,lq}/KEY.png, and what is known of every pair."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from gends.pipeline.export.pair import Pair
from gends.pipeline.format.manifest import member_json
from gends.pipeline.reading.reader import PAIR

METADATA_NAME = "metadata.jsonl"
SIZES_NAME = "meta_info.txt"


def write_folder(pairs: Iterable[Pair], folder: Path, out: Path) -> list[str]:
    """Write the tree; the files are the shards' own bytes.

    What is stored beside pairs and was asked for stands beside these folders, as in
    DEGRADATION/mask/KEY.png. `metadata.jsonl` has a line of JSON per pair: the paths `gt`, `lq` and
    those of its members, and its manifest row.
    `DEGRADATION/meta_info.txt` lists `KEY.png (height,width,channels)`, which BasicSR and its
    descendants take as `meta_info_file`. Both folders of a degradation hold the same names, so
    programs that pair by sorted listing pair them right.
    """
    with contextlib.ExitStack() as files:
        metadata = files.enter_context(open(folder / METADATA_NAME, "wb"))
        sizes: dict[str, IO[str]] = {}
        for pair in pairs:
            if pair.degradation not in sizes:
                sizes[pair.degradation] = files.enter_context(_begin(folder / pair.degradation))
            name = f"{pair.key}.{pair.suffix}"
            paths = {part: f"{pair.degradation}/{part}/{name}" for part in PAIR}
            for part in PAIR:
                (folder / paths[part]).write_bytes(getattr(pair, part))
            for part, data in pair.members.items():
                paths[part] = f"{pair.degradation}/{part}/{pair.key}.png"
                (folder / paths[part]).parent.mkdir(exist_ok=True)
                (folder / paths[part]).write_bytes(data)
            facts = paths | json.loads(member_json(pair.row))
            metadata.write(json.dumps(facts, ensure_ascii=False).encode() + b"\n")
            sizes[pair.degradation].write(f"{name} ({shape(pair)})\n")
    return []


def _begin(folder: Path) -> IO[str]:
    for part in PAIR:
        (folder / part).mkdir(parents=True)
    return open(folder / SIZES_NAME, "w", encoding="ascii")


def shape(pair: Pair) -> str:
    """`height,width,channels`, as BasicSR's lists have it."""
    return f"{pair.row['height']},{pair.row['width']},3"
