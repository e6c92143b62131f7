"""Batches of a training out of `gends.PairLoader`, one epoch after the other without a gap."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from gends.jobs.training.restorer.settings import RestorerSettings
from gends.models.training.ranks import Ranks
from gends.models.training.step_log import StepLog, cut_back
from gends.models.training.task import Batch
from gends.reading.loader import PairLoader
from gends.reading.stream import PairStream

KEYS = "keys"
"""Folder of what each rank was given, a file of JSON lines for each: step, rank, ranks, keys."""
PARTS = ("lq", "gt")


def open_stream(settings: RestorerSettings, ranks: Ranks) -> PairStream:
    """The pairs of the settings, as a rank reads them: float32 (3, crop, crop) in [0, 1].

    Raises:
        ValueError: there are no such pairs, they are smaller than the crops, or the mix does not
            go with the roots.
    """
    data = settings.data
    return PairStream(
        data.named_roots(),
        seed=settings.seed,
        rank=ranks.rank,
        num_ranks=ranks.count,
        mix=data.mix,
        length=data.length,
        preset="tensor",
        augment=settings.augment,
        **data.selection(),
    )


class PairFeed:
    """A rank's share of the batches, `batch_size` pairs over all ranks to each.

    All epochs in a row are one sequence of pairs, cut into batches: where an epoch ends within a
    batch, the next one fills it up. So step k is given the same pairs whatever the number of ranks,
    every pair of an epoch comes exactly once, and how many were given is all there is to store.
    """

    def __init__(self, settings: RestorerSettings, ranks: Ranks, device: torch.device) -> None:
        """Begin with the first epoch; batches come to the device as bytes, and are floats there."""
        self._settings, self._ranks = settings, ranks
        self._stream = open_stream(settings, ranks)
        self._loader = self._open_loader(device)
        self._given = 0
        """Pairs, over all ranks."""

    def _open_loader(self, device: torch.device) -> PairLoader | None:
        """Of the whole batches within epochs; None if an epoch is smaller than a batch."""
        size = self._settings.hyperparameters.batch_size // self._ranks.count
        if len(self._stream) < size:
            return None
        workers = self._settings.loader_workers
        return PairLoader(
            self._stream, batch_size=size, num_workers=workers, drop_last=True, device=device
        )

    def state_dict(self) -> Mapping[str, Any]:
        """How many pairs have been given to all ranks, and of which stream."""
        return {"pairs": self._given, "stream": self._stream.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after so many pairs.

        Raises:
            ValueError: they were of another stream.
        """
        self._stream.load_state_dict(state["stream"])
        self._given = state["pairs"]

    @contextmanager
    def batches(self, steps: range) -> Iterator[Iterator[Batch]]:
        """One batch for each step: `lq` and `gt`, float32 (N, 3, crop, crop) in [0, 1]."""
        with contextlib.closing(self._endless()) as items:
            yield self._logged(items, steps)

    def _logged(self, items: Iterator[dict[str, Any]], steps: range) -> Iterator[Batch]:
        log = self._open_log(steps.start)
        for step in steps:
            item = next(items)
            if log is not None:
                rank = {"rank": self._ranks.rank, "ranks": self._ranks.count}
                log.write({"step": step + 1, **rank, "keys": list(item["key"])})
            yield {part: item[part] for part in PARTS}

    def _endless(self) -> Generator[dict[str, Any], None, None]:
        total, size = self._stream.epochs.total, self._settings.hyperparameters.batch_size
        while True:
            epoch, place = divmod(self._given, total)
            # The loader leaves out what is no whole batch any more.
            state = {**self._stream.state_dict(), "epoch": epoch, "consumed": place}
            self._stream.load_state_dict(state)
            self._stream.set_epoch(epoch)  # and not the next one, where no whole batch is left
            for item in self._loader or ():
                self._given += size
                yield item
            if self._given < (epoch + 1) * total:
                item = self._across(self._given)
                self._given += size
                yield item

    def _across(self, first: int) -> dict[str, Any]:
        """This rank's share of the batch that begins with pair `first` of all epochs.

        Read in this process: one batch of an epoch costs less than workers that know of the next.
        """
        stop = first + self._settings.hyperparameters.batch_size
        numbers = np.arange(first + self._ranks.rank, stop, self._ranks.count)
        epochs, places = np.divmod(numbers, self._stream.epochs.total)
        items: list[dict[str, Any]] = []
        for epoch in np.unique(epochs).tolist():
            attempts = self._stream.reader(epoch)(places[epochs == epoch])
            items += self._stream.dataset.items.shaped(attempts)
        batch: dict[str, Any] = default_collate(items)
        return batch

    def _open_log(self, step: int) -> StepLog | None:
        """This rank's log, cut back to `step`; those of ranks that are no more are cut, too."""
        folder: Path = self._settings.folder / KEYS
        if self._ranks.first:
            for path in sorted(folder.glob("*.jsonl")):
                if int(path.stem) >= self._ranks.count:
                    cut_back(path, step)
        if not self._settings.log_keys:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        return StepLog(folder / f"{self._ranks.rank:05d}.jsonl", step)
