"""Batches for a trainer, that can be gone on with exactly where it was stopped."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from gends.reading.batches import Batches, GrowingBatches
from gends.reading.growing_stream import GrowingStream
from gends.reading.stream import PairStream
from gends.reading.worker_batch import Collate, WorkerBatch, mapped


class _Loader:
    """Batches on their way from worker processes to a trainer."""

    def __init__(
        self,
        batches: Batches | GrowingBatches,
        *,
        num_workers: int,
        device: torch.device | str | None,
        pin_memory: bool | None,
        options: dict[str, Any],
    ) -> None:
        if batches.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batches.batch_size}")
        self.device = None if device is None else torch.device(device)
        self._items = batches.items
        on_gpu = self.device is not None and self.device.type == "cuda"
        if num_workers:
            options.setdefault("persistent_workers", True)
            begin = functools.partial(_begin_worker, options.get("worker_init_fn"))
            options["worker_init_fn"] = begin
            if batches.items.is_remote:
                options.setdefault("multiprocessing_context", "spawn")
        self._loader: DataLoader[WorkerBatch] = DataLoader(
            batches,
            batch_size=None,
            num_workers=num_workers,
            collate_fn=_unchanged,
            pin_memory=on_gpu if pin_memory is None else pin_memory,
            **options,
        )

    @property
    def damaged(self) -> int:
        """How many damaged pairs were passed over, in all workers."""
        return self._items.damaged

    def _received(self) -> Iterator[WorkerBatch]:
        """Batches as they come, each damaged pair of them warned of and counted."""
        for batch in self._loader:
            for error in batch.damaged:
                self._items.pass_over(error)
            yield batch

    def _finished(self, batch: WorkerBatch) -> Iterator[Any]:
        """The batch in the shape of the preset; nothing if all its pairs were damaged."""
        if batch.items is not None:
            yield self._moved(batch.items)
        elif batch.pictures is not None:
            yield self._shaped(batch, batch.pictures)

    def _shaped(self, batch: WorkerBatch, pictures: torch.Tensor) -> Any:
        gt, lq = self._moved(pictures)
        item = {**batch.names, "gt": gt, "lq": lq}
        for name in ("mu", "sigma"):
            item[name] = torch.tensor(batch.names[name], dtype=torch.float32, device=self.device)
        if batch.views is not None:
            item["view"] = self._moved(batch.views)
        item |= self._moved(batch.members)
        return self._items.formed(item)

    def _moved(self, items: Any) -> Any:
        if self.device is None:
            return items
        return mapped(lambda tensor: tensor.to(self.device, non_blocking=True), items)


class PairLoader(_Loader):
    """The batches of a `PairStream`'s epochs for its rank, read by worker processes.

    A batch has the shape of an item of the stream's preset, its pictures stacked to (B, …), its
    texts as lists, `mu` and `sigma` as float32 (B). The batches, and all augmentations, are a
    function of (seed, epoch, rank, number of ranks, batch size) and where the epoch was resumed:
    the number of workers changes nothing.

    Every new iteration reads the next epoch, whether the one before came to its end or not; so a
    trainer that calls no `set_epoch` sees another order each time. `set_epoch` chooses an epoch.
    Ranks stay in step if they begin as many iterations: to look at a batch on one of them, take a
    loader of its own.

    Every rank gets as many batches, and of an epoch as many pairs, as any other. Where
    `on_damage` is "skip", a batch is smaller by its damaged pairs, so that all ranks still take as
    many steps; a batch of which no pair is whole is one pair instead, the next whole one of the
    epoch, which then comes twice. Each damaged pair is warned of here and counted in `damaged`.

    `state_dict()` counts what was handed over, not what workers have read ahead. All ranks are
    taken to be in step: the state of any is that of all. Loaded into streams with another number of
    ranks, and loaders with other workers and batch sizes, they read the rest of the epoch, each
    pair once; what does not divide by the number of ranks, fewer pairs than there are ranks at the
    end of the epoch's order, is left out, as in every epoch. After the state of a finished epoch
    comes the next one; if `set_epoch` then names the finished epoch, nothing is left of it.
    """

    def __init__(
        self,
        stream: PairStream,
        *,
        batch_size: int = 8,
        num_workers: int = 0,
        drop_last: bool = False,
        device: torch.device | str | None = None,
        pin_memory: bool | None = None,
        collate: Collate | None = None,
        **options: Any,
    ) -> None:
        """Read a stream, which this loader then moves on.

        Args:
            stream: what to read; its `set_epoch` and state are the loader's.
            batch_size: pairs per batch and rank.
            num_workers: processes that read and decode; 0 does so in this one.
            drop_last: leave out a last batch that is smaller.
            device: where batches should be. Pictures travel as uint8, and presets make floats
                of them there; with a `transform`, its tensors travel as they are.
            pin_memory: hand pictures over in pinned memory; by default if `device` is a GPU.
            collate: makes a batch of a list of items, in the worker, as for pairs of different
                sizes; by default all are stacked, and have to be of one size.
            options: to `torch.utils.data.DataLoader`, as `prefetch_factor`, `timeout` or
                `multiprocessing_context`. Workers are persistent unless told otherwise, and
                spawned if a root is in a bucket, as forked ones could not read it.

        Raises:
            ValueError: `batch_size` is below 1, `drop_last` leaves out the only batch, or an
                option that torch refuses.
        """
        self.stream = stream
        self._batches = Batches(stream, batch_size, drop_last=drop_last, collate=collate)
        super().__init__(
            self._batches,
            num_workers=num_workers,
            device=device,
            pin_memory=pin_memory,
            options=options,
        )
        if drop_last and len(stream) < batch_size:
            raise ValueError(
                f"each rank reads {len(stream)} pairs of an epoch, less than batch_size "
                f"{batch_size}: with drop_last=True there would be no batch at all"
            )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration reads; see `PairStream.set_epoch`."""
        self.stream.set_epoch(epoch)

    def __len__(self) -> int:
        """Batches per epoch and rank."""
        whole, rest = divmod(len(self.stream), self._batches.batch_size)
        return whole + (rest > 0 and not self._batches.drop_last)

    def __iter__(self) -> Iterator[Any]:
        """Batches of the next epoch, or of the rest of one if a state was loaded.

        Raises:
            PairError: a pair is damaged and not to be skipped, or no whole one is left.
            ValueError: pictures of a batch are of different sizes, or a preset has no word for
                a degradation.
            StorageError: a store does not answer.
        """
        epoch, start = self._batches.begin()
        for batch in self._received():
            start += batch.count * self.stream.num_ranks
            self.stream.come_to(epoch, start)
            yield from self._finished(batch)
        self.stream.come_to(epoch, self.stream.epochs.total)

    def state_dict(self) -> dict[str, Any]:
        """How far the batches that were handed over have come; a few JSON values."""
        return self.stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on from there; see `PairStream.load_state_dict`."""
        self.stream.load_state_dict(state)


class GrowingLoader(_Loader):
    """The batches of a `GrowingStream`, read by worker processes.

    Batches are those of a `PairLoader`; each worker ends with one of its own that may be smaller.
    There is neither a length nor a state, and ranks get no equal numbers of batches.
    """

    def __init__(
        self,
        stream: GrowingStream,
        *,
        batch_size: int = 8,
        num_workers: int = 0,
        drop_last: bool = False,
        device: torch.device | str | None = None,
        pin_memory: bool | None = None,
        collate: Collate | None = None,
        **options: Any,
    ) -> None:
        """Read a stream; the arguments are those of `PairLoader`.

        Raises:
            ValueError: `batch_size` is below 1, or an option that torch refuses.
        """
        self.stream = stream
        self._batches = GrowingBatches(stream, batch_size, drop_last=drop_last, collate=collate)
        super().__init__(
            self._batches,
            num_workers=num_workers,
            device=device,
            pin_memory=pin_memory,
            # In order, what one worker has read would wait for another that waits for a shard.
            options={"in_order": False, **options},
        )

    def __iter__(self) -> Iterator[Any]:
        """Batches of all shards, as they are sealed.

        Raises:
            what `GrowingStream` and `PairLoader` raise.
        """
        self._batches.begin()
        for batch in self._received():
            yield from self._finished(batch)


def _begin_worker(then: Callable[[int], None] | None, worker: int) -> None:
    """Keep the garbage collector from what a worker was forked with.

    It would write into every object, and so copy the pages that all processes share.
    """
    gc.freeze()
    if then is not None:
        then(worker)


def _unchanged(batch: Any) -> Any:
    return batch
