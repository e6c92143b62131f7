"""The batches of streams, as loader workers make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch.utils.data import IterableDataset, get_worker_info

from gends.pipeline.format.damage import PairError
from gends.reading.growing_stream import GrowingStream
from gends.reading.items import Items
from gends.reading.order import Indices
from gends.reading.presets import Item
from gends.reading.shared import shared_numbers
from gends.reading.stream import PairStream
from gends.reading.worker_batch import Collate, WorkerBatch, assembled

Reader = Callable[[Indices], Iterator[Item | PairError]]


class Batches(IterableDataset[WorkerBatch]):
    """The batches of a stream for its rank; inside a loader each worker's turn of them.

    Batch number n is made by worker n modulo their number, and a loader of torch takes turns in
    asking them: so the batches come in the same order from any number of workers.
    """

    def __init__(
        self,
        stream: PairStream,
        batch_size: int,
        *,
        drop_last: bool,
        collate: Collate | None = None,
    ) -> None:
        """Make batches of `batch_size` pairs; the last may be smaller, or left out."""
        self.items = stream.items
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.collate = collate
        self._stream = stream
        self._epoch_and_start = shared_numbers(0, 0)

    def begin(self) -> tuple[int, int]:
        """The epoch that the next iteration reads, and from which place of its order on."""
        epoch, start = self._stream.begin(self.batch_size if self.drop_last else 1)
        self._epoch_and_start[0], self._epoch_and_start[1] = epoch, start
        return epoch, start

    def __iter__(self) -> Iterator[WorkerBatch]:
        info = get_worker_info()
        worker, num_workers = (0, 1) if info is None else (info.id, info.num_workers)
        epoch, start = self._epoch_and_start.tolist()
        read = self._stream.reader(epoch)
        places = self._stream.places(start)
        for first in range(worker * self.batch_size, len(places), num_workers * self.batch_size):
            mine = places[first : first + self.batch_size]
            if len(mine) == self.batch_size or not self.drop_last:
                yield self._read(mine, places[first + len(mine) :], read)

    def _read(self, places: Indices, later: Indices, read: Reader) -> WorkerBatch:
        """The batch of these places; if all its pairs are damaged, of the next one that is whole.

        A batch less would leave this rank's trainer waiting for the others' at the end.
        """
        found, damaged = _whole_and_damaged(self.items, read(places))
        for place in later if not found else ():
            found = _whole_and_damaged(self.items, read(later[later == place]))[
                0
            ]  # others count in turn
            if found:
                break
        if not found:
            raise PairError(f"no whole pair is left in the epoch: {damaged[0]}")
        return assembled(self.items, self.collate, found, damaged, len(places))


class GrowingBatches(IterableDataset[WorkerBatch]):
    """The batches of a growing dataset for a rank; inside a loader of each worker's shards."""

    def __init__(
        self,
        stream: GrowingStream,
        batch_size: int,
        *,
        drop_last: bool,
        collate: Collate | None = None,
    ) -> None:
        """Make batches of `batch_size` pairs; each worker's last may be smaller, or left out."""
        self.items = stream.items
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.collate = collate
        self._stream = stream
        self._epoch = shared_numbers(0)

    def begin(self) -> None:
        """Let the next iteration read the shards in the order of another epoch."""
        self._epoch[0] = self._stream.begin()

    def __iter__(self) -> Iterator[WorkerBatch]:
        found: list[Item] = []
        damaged: list[PairError] = []
        for attempt in self._stream.attempts(int(self._epoch[0]), get_worker_info()):
            more, broken = _whole_and_damaged(self.items, [attempt])
            found += more
            damaged += broken
            if len(found) == self.batch_size:
                yield assembled(self.items, self.collate, found, damaged, len(found))
                found, damaged = [], []
        rest = [] if self.drop_last else found
        if damaged or rest:
            yield assembled(self.items, self.collate, rest, damaged, len(rest))


def _whole_and_damaged(
    items: Items, attempts: Iterable[Item | PairError]
) -> tuple[list[Item], list[PairError]]:
    """Whole pairs and damaged ones, where these are to be skipped."""
    found: list[Item] = []
    damaged: list[PairError] = []
    for attempt in attempts:
        if not isinstance(attempt, PairError):
            found.append(attempt)
        elif items.skips:
            damaged.append(attempt)
        else:
            raise attempt
    return found, damaged
