"""Batches as loader workers hand them over: all pictures in one array, everything else beside."""

from __future__ import annotations

import copy
import math
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.data import IterableDataset, default_collate, get_worker_info

from gends.models.degrader import Image
from gends.pipeline.format.damage import PairError
from gends.pipeline.reading.reader import PAIR
from gends.reading.growing_stream import GrowingStream
from gends.reading.items import Items
from gends.reading.order import Indices
from gends.reading.presets import Item
from gends.reading.shared import shared_numbers
from gends.reading.stream import PairStream

NAMES = ("key", "degradation", "mu", "sigma", "caption", "path")
"""What presets are made of, beside pictures."""

Reader = Callable[[Indices], Iterator[Item | PairError]]


@dataclass(slots=True, kw_only=True)
class WorkerBatch:
    """Pairs on their way from a worker."""

    count: int
    """Places of the epoch's order that it stands for, damaged pairs among them."""
    damaged: list[PairError]
    names: dict[str, list[Any]] = field(default_factory=dict)
    """Columns of the rows."""
    pictures: torch.Tensor | None = None
    """uint8 (2, B, H, W, 3), or (2, B, 3, H, W) for presets of tensors: all gt, all lq."""
    views: torch.Tensor | None = None
    """uint8 (B, 3, H, W), for presets that have a view of their own."""
    items: Any = None
    """Instead of names and pictures the transformed items, collated, where there is a transform."""

    def pin_memory(self) -> WorkerBatch:
        """The batch in pinned memory: torch calls this."""
        tensors = (self.pictures, self.views, self.items)
        pictures, views, items = (mapped(_pinned, part) for part in tensors)
        return replace(self, pictures=pictures, views=views, items=items)


def _pinned(tensor: torch.Tensor) -> torch.Tensor:
    """Where there is anything to pin: a transform may make tensors of other kinds."""
    dense = tensor.device.type == "cpu" and tensor.layout == torch.strided
    return tensor.pin_memory() if dense else tensor


def mapped(function: Callable[[torch.Tensor], torch.Tensor], items: Any) -> Any:
    """Collated items of any nesting, with what `function` makes of their tensors."""
    if isinstance(items, torch.Tensor):
        return function(items)
    kind: Any = type(items)
    if isinstance(items, Mapping):
        named = {name: mapped(function, part) for name, part in items.items()}
        if not isinstance(items, MutableMapping):
            return kind(named)
        changed = copy.copy(items)  # as torch collates them: a class may have more than its items
        changed.update(named)
        return changed
    if isinstance(items, Sequence) and not isinstance(items, str | bytes):
        parts = [mapped(function, part) for part in items]
        if not isinstance(items, MutableSequence):
            return kind(*parts) if hasattr(items, "_fields") else kind(parts)
        replaced = copy.copy(items)
        replaced[:] = parts
        return replaced
    return items


class Batches(IterableDataset[WorkerBatch]):
    """The batches of a stream for its rank; inside a loader each worker's turn of them.

    Batch number n is made by worker n modulo their number, and a loader of torch takes turns in
    asking them: so the batches come in the same order from any number of workers.
    """

    def __init__(self, stream: PairStream, batch_size: int, *, drop_last: bool) -> None:
        """Make batches of `batch_size` pairs; the last may be smaller, or left out."""
        self.items = stream.items
        self.batch_size = batch_size
        self.drop_last = drop_last
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
        return _assembled(self.items, found, damaged, len(places))


class GrowingBatches(IterableDataset[WorkerBatch]):
    """The batches of a growing dataset for a rank; inside a loader of each worker's shards."""

    def __init__(self, stream: GrowingStream, batch_size: int, *, drop_last: bool) -> None:
        """Make batches of `batch_size` pairs; each worker's last may be smaller, or left out."""
        self.items = stream.items
        self.batch_size = batch_size
        self.drop_last = drop_last
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
                yield _assembled(self.items, found, damaged, len(found))
                found, damaged = [], []
        rest = [] if self.drop_last else found
        if damaged or rest:
            yield _assembled(self.items, rest, damaged, len(rest))


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


def _assembled(
    items: Items, found: list[Item], damaged: list[PairError], count: int
) -> WorkerBatch:
    batch = WorkerBatch(count=count, damaged=damaged)
    if not found:
        return batch
    if items.transform is not None:
        batch.items = default_collate([items.finished(item) for item in found])
        return batch
    batch.names = {name: [item[name] for item in found] for name in NAMES}
    first = items.preset.is_tensor
    batch.pictures = _stacked([[item[part] for item in found] for part in PAIR], first)
    if items.preset.view is not None:
        batch.views = _stacked([[item["view"] for item in found]], first)[0]
    return batch


def _stacked(groups: list[list[Image]], channels_first: bool) -> torch.Tensor:
    """Groups of pictures in one array, inside a worker in memory that the trainer sees too."""
    shapes = {picture.shape for group in groups for picture in group}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{width}x{height}" for height, width, _ in shapes))
        raise ValueError(
            f"pictures of different sizes ({sizes}) are no batch: crop them by "
            "augment=Augment(crop=…), choose one size by where=, or use batch_size=1"
        )
    height, width, channels = shapes.pop()
    shape = (channels, height, width) if channels_first else (height, width, channels)
    stack = _empty((len(groups), len(groups[0]), *shape))
    pixels = stack.numpy()
    for place, group in zip(pixels, groups, strict=True):
        for target, picture in zip(place, group, strict=True):
            target[:] = picture.transpose(2, 0, 1) if channels_first else picture
    return stack


def _empty(shape: tuple[int, ...]) -> torch.Tensor:
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    # As torch's own collation does: share_memory_() would copy what is not there yet.
    storage = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
