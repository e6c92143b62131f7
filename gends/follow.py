"""Reading a dataset while it grows: every shard once, when it has been sealed."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gends.dataset import COLUMNS, Item, check_known, keep, read_pair
from gends.pipeline.dataset import IDENTITY_NAME, read_identity
from gends.pipeline.manifest import sealed_shards, shard_name
from gends.pipeline.reader import ShardReader, read_manifest
from gends.pipeline.store import Store, open_store

Found = TypeVar("Found")
Order = Callable[[npt.NDArray[np.int32]], npt.NDArray[np.int64]]


class Follower:
    """The pairs of a dataset that may not be finished, or not even begun.

    A shard is read once, as it was when it was seen: pairs that a `retry` adds to it later are not
    read. A shard that `retry` or `repair` takes away while its pairs are being read is waited for,
    and the rest of these pairs read from the new one. All bytes are compared with the checksums of
    their manifest.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        poll: float,
        timeout: float | None,
        degradations: Sequence[str] | None = None,
        split: str | None = None,
        transform: Callable[[Item], Any] | None = None,
    ) -> None:
        """Name a root; nothing is read yet. See `PairStream` for the arguments.

        Raises:
            ValueError: `poll` or `timeout` is not above 0, or a URL of an unknown kind.
        """
        for name, seconds in (("poll", poll), ("timeout", timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be above 0 seconds, got {seconds}")
        open_store(root)
        self.root = root
        self.poll = poll
        self.timeout = timeout
        self.degradations = degradations
        self.split = split
        self.transform = transform

    def pairs(self, place: int, places: int, order: Order) -> Iterator[Any]:
        """Read the shards whose number is `place` modulo `places`, as they come.

        `order` is given the shard of each row of a group that was seen together, and says in which
        order to read the rows.
        """
        watch = _Watch(open_store(self.root), self.poll, self.timeout)
        source = _Source(self.root, watch)
        missing = set(range(self._num_shards(watch))[place::places])
        while missing:
            group, rows = watch.until(lambda sealed: self._group(sorted(missing & sealed)))
            missing.difference_update(group)
            for index in order(rows["shard"].to_numpy()):
                item = source.read(rows.slice(int(index), 1).to_pylist()[0])
                yield item if self.transform is None else self.transform(item)

    def _num_shards(self, watch: _Watch) -> int:
        """How many shards there will be, once the dataset is founded."""
        store = watch.store
        identity = watch.until(
            lambda _: read_identity(store) if store.exists(IDENTITY_NAME) else None
        )
        number: int = identity["num_shards"]
        known = identity["config"]["degradations"]
        check_known(self.root, "degradation", self.degradations, known)
        return number

    def _group(self, shards: list[int]) -> tuple[list[int], pa.Table] | None:
        if not shards:
            return None
        rows = read_manifest(self.root, columns=[*COLUMNS, "split"], shards=shards)
        rows = keep(rows, "degradation", self.degradations)
        return shards, keep(rows, "split", self.split).combine_chunks()


class _Source:
    """Reads pairs of shards that may be made again in the meantime."""

    def __init__(self, root: Path | str, watch: _Watch) -> None:
        self._root = root
        self._watch = watch
        self._reader = ShardReader(root)
        self._renewed: dict[int, pa.Table] = {}

    def read(self, row: dict[str, Any]) -> Item:
        """Read the pair of a row, or of the row that a later manifest of its shard has instead."""
        try:
            return read_pair(self._reader, self._latest(row))
        except OSError:
            self._renew(row["shard"])
        return read_pair(self._reader, self._latest(row))

    def _latest(self, row: dict[str, Any]) -> dict[str, Any]:
        shard, key = row["shard"], row["key"]
        if shard not in self._renewed:
            return row
        table = self._renewed[shard]
        found: list[dict[str, Any]] = table.filter(pc.equal(table["key"], key)).to_pylist()
        if not found:
            where = self._watch.store.where(shard_name(shard))
            raise OSError(f"{where}: made again without {key}; begin the epoch anew")
        return found[0]

    def _renew(self, shard: int) -> None:
        """Forget what was known of a shard, and wait until it is sealed."""

        def look(sealed: frozenset[int]) -> pa.Table | None:
            if shard not in sealed:
                return None
            return read_manifest(self._root, columns=COLUMNS, shards=[shard])

        self._renewed[shard] = self._watch.until(look)
        # Its open files may be those of tars that are gone.
        self._reader = ShardReader(self._root)


class _Watch:
    """Looks at a root again and again: one listing each time."""

    def __init__(self, store: Store, poll: float, timeout: float | None) -> None:
        self.store = store
        self._poll = poll
        self._timeout = timeout
        self._parent = multiprocessing.parent_process()

    def until(self, attempt: Callable[[frozenset[int]], Found | None]) -> Found:
        """Call `attempt` with the numbers of the sealed shards until it returns something.

        Raises:
            TimeoutError: for too long no shard was sealed or opened again.
        """
        last, since = None, 0.0
        while True:
            sealed = frozenset(sealed_shards(self.store))
            if sealed != last:
                last, since = sealed, time.monotonic()
            # A manifest may have been taken away, to be made again, since it was listed.
            with contextlib.suppress(FileNotFoundError):
                found = attempt(sealed)
                if found is not None:
                    return found
            self._pause(since, len(sealed))

    def _pause(self, since: float, num_sealed: int) -> None:
        if self._parent is not None and not self._parent.is_alive():
            raise RuntimeError("the process that this loader worker reads for has ended")
        seconds = self._poll
        if self._timeout is not None:
            waited = time.monotonic() - since
            if waited >= self._timeout:
                raise TimeoutError(
                    f"{self.store.url}: {num_sealed} shards sealed, no change for {waited:.0f} s; "
                    "see gends-build status, resume the build, or wait longer: timeout="
                )
            seconds = min(seconds, self._timeout - waited)
        time.sleep(seconds)
