"""An index of the shards themselves for the library `wids`: nothing is copied."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from gends.pipeline.export.formats import Exported
from gends.pipeline.format.manifest import read_facts, shard_name
from gends.pipeline.reading.reader import DatasetNotFoundError, readable_shards
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store


def write_wids(root: Path | str, file: Path) -> Exported:
    """Write the index of all sealed shards; where it is there already, nothing is done.

    The index is JSON: `wids_version` 1 and a `shardlist` of `url`, `nsamples` and `filesize`. URLs
    of shards on a disk are relative to the index, so both can move together. Its optional MD5 sums
    are left out: reading the whole dataset would serve nothing, as wids does not compare them.
    Shards without an accepted pair are left out.

    Raises:
        DatasetNotFoundError: no shard is sealed, or none holds a pair.
        FileExistsError: there is a file with something else in it.
        StorageError: its disk is full.
        ValueError: a path that wids would take for a URL with a query.
        IdentityError, ManifestError: the dataset is damaged.
    """
    store = open_store(root)
    shards = [_entry(store, shard, file) for shard in readable_shards(store)]
    shards = [shard for shard in shards if shard["nsamples"]]
    if not shards:
        raise DatasetNotFoundError(f"{root}: no sealed shard with a pair to index")
    index = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": shards}
    text = json.dumps(index, indent=1) + "\n"
    fresh = not os.path.lexists(file)
    if fresh:
        with open_store(file.parent).publish(file.name, create_only=True) as index_file:
            index_file.write(text.encode())
    elif not (file.is_file() and file.read_bytes() == text.encode()):
        raise FileExistsError(
            f"{file} is there already, and not the index of these shards; remove it, or name a new "
            "file"
        )
    num_pairs = sum(shard["nsamples"] for shard in shards)
    return Exported(num_pairs=num_pairs, num_damaged=0, fresh=fresh, notes=())


def _entry(store: Store, shard: int, file: Path) -> dict[str, Any]:
    facts = read_facts(store, shard)
    return {
        "url": _url(store, shard, file),
        "nsamples": int(facts["accepted"]),
        "filesize": int(facts["shard_size"]),
    }


def _url(store: Store, shard: int, file: Path) -> str:
    where = store.where(shard_name(shard))
    if "://" in where:
        return where
    url = os.path.relpath(Path(where).resolve(), file.resolve().parent)
    if re.search(r"[?#;%]|^[^/]*:", url):
        raise ValueError(
            f"{url}: wids would read more into this path than a path; rename its folder"
        )
    return url
