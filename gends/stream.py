"""Iterable access: shuffled, and split over ranks and loader workers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import IterableDataset, get_worker_info

from gends.dataset import PairDataset
from gends.follow import Follower


class PairStream(IterableDataset[Any]):
    """The pairs of a dataset in shuffled order, each once per epoch over all ranks and workers.

    The order is a function of (seed, epoch, number of ranks) alone. Shards are shuffled, then the
    pairs within every few shards, so that reads stay near each other. Every rank gets the same
    number of pairs: the remainder of a division by the number of ranks is left out.

    With `follow=True` the dataset may be growing, or not be begun: the stream reads every shard
    once, after it was sealed, waits for more while a build runs or until it is resumed, and ends
    when all shards of the plan were read. Shards come as they are sealed; those seen together are
    shuffled as above. Shard n is read by rank n modulo `num_ranks`, and there by loader worker
    n // num_ranks modulo the number of workers, so that all of them together read each pair once
    whatever each sees first; equal numbers of pairs per rank are not promised, and the length is
    not known. Give a `DataLoader` with several workers `in_order=False`: in order it keeps back
    what one worker has read while another waits for a shard. What `gends-build retry` adds to a
    shard that was seen is not read before the next iteration. All bytes are compared with the
    checksums of their manifest.
    """

    def __init__(  # noqa: PLR0913  each is a choice of its own
        self,
        root: Path | str,
        *,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        shuffle: bool = True,
        shards_in_buffer: int = 4,
        follow: bool = False,
        poll: float = 10.0,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Open a dataset root; `options` go to `PairDataset`.

        Args:
            root: folder that `gends-build run` wrote, or, with `follow`, is going to write.
            seed: decides the order, together with the epoch.
            rank: which of the readers this is.
            num_ranks: how many readers there are.
            shuffle: False reads in order of shard and key.
            shards_in_buffer: shards whose pairs are shuffled together.
            follow: read shards as they are sealed instead of those that there are.
            poll: seconds between two looks at the root while nothing new is there. A look is one
                listing of the manifests by each loader worker: many readers of one bucket do well
                with a minute.
            timeout: seconds without a shard sealed after which to give up; None waits for ever.
                Let it be longer than a shard and the restart of a build take.
            options: `degradations`, `split` and `transform`. While following, a split that no pair
                has is not noticed.

        Raises:
            ValueError: `rank` is not below `num_ranks`, `shards_in_buffer` is below 1, `poll` or
                `timeout` is not above 0, or what `PairDataset` raises.
        """
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank must be in [0, num_ranks), got {rank} of {num_ranks}")
        if shards_in_buffer < 1:
            raise ValueError(f"shards_in_buffer must be at least 1, got {shards_in_buffer}")
        self.dataset: PairDataset | Follower = (
            Follower(root, poll=poll, timeout=timeout, **options)
            if follow
            else PairDataset(root, **options)
        )
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
        """Pairs per epoch and rank.

        Raises:
            TypeError: the stream follows a dataset whose end is not known.
        """
        return len(self._whole()) // self.num_ranks

    def __iter__(self) -> Iterator[Any]:
        """Read this rank's, and inside a loader this worker's, share of the epoch.

        While following this also raises:
            TimeoutError: no shard was sealed for `timeout` seconds.
            IdentityError: what lies under the root is no dataset, or does not say how it ends.
            ValueError: a degradation that the dataset is not made of, or a damaged manifest.
            OSError: bytes of a sealed shard are missing or not those that were recorded.
        """
        info = get_worker_info()
        worker, num_workers = (0, 1) if info is None else (info.id, info.num_workers)
        if isinstance(self.dataset, Follower):
            place = worker * self.num_ranks + self.rank
            rng = np.random.default_rng((self.seed, self.epoch))
            order = functools.partial(self._arrange, rng=rng)
            yield from self.dataset.pairs(place, num_workers * self.num_ranks, order)
            return
        mine = self.order()[: len(self) * self.num_ranks][self.rank :: self.num_ranks]
        for index in mine[worker::num_workers]:
            yield self.dataset[int(index)]

    def order(self) -> npt.NDArray[np.int64]:
        """Indices into the dataset in the order of the current epoch, over all ranks.

        Raises:
            TypeError: the stream follows a dataset, whose order is not known before.
        """
        rng = np.random.default_rng((self.seed, self.epoch))
        return self._arrange(self._whole().rows["shard"].to_numpy(), rng)

    def _whole(self) -> PairDataset:
        if isinstance(self.dataset, Follower):
            raise TypeError(
                f"{self.dataset.root}: a stream with follow=True has neither length nor order: "
                "its dataset may still grow; count in steps instead of epochs"
            )
        return self.dataset

    def _arrange(
        self, shards: npt.NDArray[np.int32], rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """In which order to read rows of these shards, of which each one's are neighbours."""
        if not self.shuffle:
            return np.arange(len(shards))
        bounds = np.append(np.unique(shards, return_index=True)[1], len(shards))
        numbers = rng.permutation(len(bounds) - 1)
        parts = [np.arange(0)]
        for start in range(0, len(numbers), self.shards_in_buffer):
            buffer = numbers[start : start + self.shards_in_buffer]
            indices = [np.arange(bounds[number], bounds[number + 1]) for number in buffer]
            parts.append(rng.permutation(np.concatenate(indices)))
        return np.concatenate(parts)
