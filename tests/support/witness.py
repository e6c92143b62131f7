"""A reader that looks at a dataset all the time and opens whatever it sees."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from gends.pipeline.format.manifest import facts_of, manifest_name, sealed_shards, shard_name
from gends.pipeline.storage.store import Store


class Witness(threading.Thread):
    """Checks every shard when it is first seen; `torn` holds what did not fit."""

    def __init__(self, store: Store, pause: float = 0.002) -> None:
        super().__init__(daemon=True)
        self.store, self.pause = store, pause
        self.seen: dict[int, int] = {}
        """Rows of each shard."""
        self.torn: list[tuple[int, Exception]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self.pause):
            self.look()

    def end(self) -> None:
        self._ended.set()
        self.join()
        self.look()

    def look(self) -> None:
        for shard in set(sealed_shards(self.store)) - self.seen.keys():
            try:
                table = pq.read_table(pa.BufferReader(self.store.read(manifest_name(shard))))
                tar = self.store.read(shard_name(shard))
                assert blake3(tar).hexdigest() == facts_of(table.schema)["shard_blake3"]
                self.seen[shard] = table.num_rows
            except Exception as error:  # whatever a reader can trip over is a torn shard
                self.torn.append((shard, error))


def published(store: Store) -> dict[str, bytes]:
    """What readers see of a dataset: the bytes of every shard and manifest."""
    return {
        f"{folder}/{name}": store.read(f"{folder}/{name}")
        for folder in ("shards", "manifest")
        for name in store.names(folder)
    }
