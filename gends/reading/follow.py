"""Reading a dataset while it grows: every shard once, when it has been sealed."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from gends.pipeline.format.arrow_values import as_numpy
from gends.pipeline.format.damage import PairError
from gends.pipeline.format.identity import IDENTITY_NAME, labels_of, read_identity
from gends.pipeline.format.manifest import ManifestError, Row, sealed_shards, shard_name
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.store import Store
from gends.reading.items import Items
from gends.reading.presets import Item, wanted_members
from gends.reading.rows import Root, Roots, RowFilter, check_known, columns_of, listed, row_at

Found = TypeVar("Found")
SELECTORS = [field.name for field in dataclasses.fields(RowFilter)]
Order = Callable[[npt.NDArray[np.int32]], npt.NDArray[np.int64]]


class Follower:
    """The pairs of a dataset that may not be finished, or not even begun.

    A shard is read once, as it was when it was seen: pairs that a `retry` adds to it later are not
    read. A shard that `retry` or `repair` takes away while its pairs are being read is waited for,
    and the rest of these pairs read from the new one. A damaged manifest counts as one damaged pair
    where these are skipped, and its shard is not looked at again. All bytes are compared with the
    checksums of their manifest.
    """

    def __init__(self, root: Roots, *, poll: float, timeout: float | None, **options: Any) -> None:
        """Name a root; nothing is read yet. See `GrowingStream` for the arguments.

        Raises:
            ValueError: `poll` or `timeout` is not above 0, a URL of an unknown kind, several
                roots, or an option that is none.
        """
        for name, seconds in (("poll", poll), ("timeout", timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be above 0 seconds, got {seconds}")
        roots = listed(root)
        if len(roots) > 1:
            raise ValueError(f"a growing stream reads one root, got {len(roots)}: make one of each")
        self.root = roots[0]
        open_store(self.root.url)
        self.poll = poll
        self.timeout = timeout
        chosen = {name: options.pop(name) for name in SELECTORS if name in options}
        members = wanted_members(options.get("preset", "plain"), chosen.pop("members", ()))
        self.selection = RowFilter(**chosen, members=members)
        self.items = Items([self.root], members=members, **options)

    def attempts(
        self, place: int, places: int, order: Order, numbers: tuple[int, ...]
    ) -> Iterator[Item | PairError]:
        """Read the shards whose number is `place` modulo `places`, as they come.

        `order` is given the shard of each row of a group that was seen together, and says in which
        order to read the rows. Each pair is moved by `numbers` and its key.
        """
        watch = _Watch(open_store(self.root.url), self.poll, self.timeout)
        source = _Source(self.root, watch, self.items)
        missing = set(range(self._num_shards(watch))[place::places])
        while missing:
            group, rows, damaged = watch.until(lambda sealed: self._group(sorted(missing & sealed)))
            missing.difference_update(group)
            columns = columns_of(rows)
            yield from damaged
            for index in order(as_numpy(rows["shard"])).tolist():
                row = row_at(columns, index)
                try:
                    yield source.read(row, (*numbers, _number_of(row["key"])))
                except PairError as error:
                    yield error

    def _num_shards(self, watch: _Watch) -> int:
        """How many shards there will be, once the dataset is founded."""
        store = watch.store
        identity = watch.until(
            lambda _: read_identity(store) if store.exists(IDENTITY_NAME) else None
        )
        number: int = identity["num_shards"]
        known = labels_of(identity)
        check_known(self.root.url, "degradation", self.selection.degradations, known)
        return number

    def _group(self, shards: list[int]) -> tuple[list[int], pa.Table, list[PairError]] | None:
        if not shards:
            return None
        damaged: list[ManifestError] | None = [] if self.items.skips else None
        rows = self.selection.read([self.root], shards=shards, strict=False, damaged=damaged)
        self.selection.check_members(rows)
        self.items.check(rows)
        return shards, rows.combine_chunks(), [PairError(str(error)) for error in damaged or ()]


def _number_of(key: str) -> int:
    return int.from_bytes(blake3(key.encode()).digest(8), "big")


class _Source:
    """Reads pairs of shards that may be made again in the meantime."""

    def __init__(self, root: Root, watch: _Watch, items: Items) -> None:
        self._root = root
        self._watch = watch
        self._items = items
        self._renewed: dict[int, pa.Table] = {}

    def read(self, row: Row, numbers: tuple[int, ...]) -> Item:
        """Read the pair of a row, or of the row that a later manifest of its shard has instead."""
        try:
            return self._items.raw(self._latest(row), numbers)
        except OSError:
            self._renew(row["shard"])
        return self._items.raw(self._latest(row), numbers)

    def _latest(self, row: Row) -> Row:
        shard, key = row["shard"], row["key"]
        if shard not in self._renewed:
            return row
        table = self._renewed[shard]
        found: list[Row] = table.filter(pc.equal(table["key"], key)).to_pylist()
        if not found:
            where = self._watch.store.where(shard_name(shard))
            raise OSError(f"{where}: made again without {key}; begin the epoch anew")
        return found[0]

    def _renew(self, shard: int) -> None:
        """Forget what was known of a shard, and wait until it is sealed."""

        def look(sealed: frozenset[int]) -> pa.Table | None:
            if shard not in sealed:
                return None
            return RowFilter(members=self._items.members).read(
                [self._root], shards=[shard], strict=False
            )

        try:
            self._renewed[shard] = self._watch.until(look)
        except ManifestError as error:
            if self._items.skips:
                raise PairError(str(error)) from error
            raise
        # Its open files may be those of tars that are gone.
        self._items.reopen()


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
