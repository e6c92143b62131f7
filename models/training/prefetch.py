"""Batches prepared on threads while the device computes, in the order of the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from gends.models.training.task import Batch, Feed


@contextmanager
def prefetched(
    batches: Callable[[int], Batch], steps: range, device: torch.device, ahead: int
) -> Iterator[Iterator[Batch]]:
    """Batches of `steps` on the device, `ahead` of them being prepared, each on its own thread.

    An error in `batches` is raised where its batch would have come.
    """

    def prepare(step: int) -> Batch:
        batch = batches(step)
        return {k: v.pin_memory() for k, v in batch.items()} if device.type == "cuda" else batch

    def ordered(pool: ThreadPoolExecutor) -> Iterator[Batch]:
        waiting: list[Future[Batch]] = []
        for step in range(steps.start, steps.stop + ahead):
            if step < steps.stop:
                waiting.append(pool.submit(prepare, step))
            if step >= steps.start + ahead:
                batch = waiting.pop(0).result()
                yield {k: v.to(device, non_blocking=True) for k, v in batch.items()}

    pool = ThreadPoolExecutor(max_workers=max(1, ahead), thread_name_prefix="batches")
    try:
        yield ordered(pool)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def fed(feed: Feed, steps: range, device: torch.device) -> Iterator[Iterator[Batch]]:
    """Batches of `steps` from a feed, on the device."""
    with feed.batches(steps) as batches:
        yield (
            {name: values.to(device, non_blocking=True) for name, values in batch.items()}
            for batch in batches
        )
