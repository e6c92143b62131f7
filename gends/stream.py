"""Iterable access: shuffled, and split over ranks and loader workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import IterableDataset, get_worker_info

from gends.dataset import PairDataset


class PairStream(IterableDataset[Any]):
    """The pairs of a dataset in shuffled order, each once per epoch over all ranks and workers.

    The order is a function of (seed, epoch, number of ranks) alone. Shards are shuffled, then the
    pairs within every few shards, so that reads stay near each other. Every rank gets the same
    number of pairs: the remainder of a division by the number of ranks is left out.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        shuffle: bool = True,
        shards_in_buffer: int = 4,
        **options: Any,
    ) -> None:
        """Open a dataset root; `options` go to `PairDataset`.

        Raises:
            ValueError: `rank` is not below `num_ranks`, `shards_in_buffer` is below 1, or what
                `PairDataset` raises.
        """
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank must be in [0, num_ranks), got {rank} of {num_ranks}")
        if shards_in_buffer < 1:
            raise ValueError(f"shards_in_buffer must be at least 1, got {shards_in_buffer}")
        self.dataset = PairDataset(root, **options)
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.shuffle = shuffle
        self.shards_in_buffer = shards_in_buffer
        # In shared memory: persistent loader workers, too, must see the epoch change.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """Which order the next iteration takes; 0 until `set_epoch` is called."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration, here and in loader workers."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Pairs per epoch and rank."""
        return len(self.dataset) // self.num_ranks

    def __iter__(self) -> Iterator[Any]:
        """Read this rank's, and inside a loader this worker's, share of the epoch."""
        mine = self.order()[: len(self) * self.num_ranks][self.rank :: self.num_ranks]
        worker = get_worker_info()
        if worker is not None:
            mine = mine[worker.id :: worker.num_workers]
        for index in mine:
            yield self.dataset[int(index)]

    def order(self) -> npt.NDArray[np.int64]:
        """Indices into the dataset in the order of the current epoch, over all ranks."""
        shards = self.dataset.rows["shard"].to_numpy()
        if not self.shuffle:
            return np.arange(len(shards))
        rng = np.random.default_rng((self.seed, self.epoch))
        # Rows come in order of shard, so each shard's are neighbours.
        bounds = np.append(np.unique(shards, return_index=True)[1], len(shards))
        numbers = rng.permutation(len(bounds) - 1)
        parts = [np.arange(0)]
        for start in range(0, len(numbers), self.shards_in_buffer):
            buffer = numbers[start : start + self.shards_in_buffer]
            indices = [np.arange(bounds[number], bounds[number + 1]) for number in buffer]
            parts.append(rng.permutation(np.concatenate(indices)))
        return np.concatenate(parts)
