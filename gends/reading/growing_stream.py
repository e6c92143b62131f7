"""Iterable access to a dataset that is still being built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import IterableDataset, get_worker_info

from gends.pipeline.format.damage import PairError
from gends.reading.follow import Follower
from gends.reading.items import Items
from gends.reading.order import Indices, Shuffle, check_sharing
from gends.reading.position import Position
from gends.reading.presets import Item
from gends.reading.rows import Roots

LOADER = "gends.GrowingLoader"


class GrowingStream(IterableDataset[Any]):
    """The pairs of a dataset that may be growing, or not be begun: every shard once it is sealed.

    The stream waits for more while a build runs or until it is resumed, and ends when all shards of
    the plan were read. Shards come as they are sealed; those seen together are shuffled as those of
    a `PairStream`. Shard n is read by rank n modulo `num_ranks`, and there by loader worker
    n // num_ranks modulo the number of workers, so that all of them together read each pair once
    whatever each sees first. Equal numbers of pairs per rank are not promised, and there is neither
    a length nor a state. Every new iteration begins anew, in another order.

    What `gends-build retry` adds to a shard that was seen is not read before the next iteration.
    All bytes are compared with the checksums of their manifest.

    A `GrowingLoader` makes batches. Give a `DataLoader` with several workers `in_order=False`: in
    order it keeps back what one worker has read while another waits for a shard.
    """

    def __init__(  # noqa: PLR0913  each is a choice of its own
        self,
        root: Roots,
        *,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        shuffle: bool = True,
        shards_in_buffer: int = 4,
        poll: float = 10.0,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Name a root; nothing is read yet.

        Args:
            root: one root, which `gends-build run` is going to write or is writing.
            seed: decides the order of what is seen together, together with the epoch.
            rank: which of the readers this is.
            num_ranks: how many readers there are.
            shuffle: False reads shards that are seen together in order of shard and key.
            shards_in_buffer: shards whose pairs are shuffled together.
            poll: seconds between two looks at the root while nothing new is there. A look is one
                listing of the manifests by each loader worker: many readers of one bucket do well
                with a minute.
            timeout: seconds without a shard sealed after which to give up; None waits for ever.
                Let it be longer than a shard and the restart of a build take.
            options: all other arguments of `PairDataset`. A split, origin or severity that no
                pair has is not noticed.

        Raises:
            ValueError: `rank` is not below `num_ranks`, `shards_in_buffer` is below 1, `poll` or
                `timeout` is not above 0, or several roots.
        """
        check_sharing(rank, num_ranks, shards_in_buffer)
        self._follower = Follower(root, poll=poll, timeout=timeout, **options)
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.shuffle = shuffle
        self.shards_in_buffer = shards_in_buffer
        self._position = Position()

    @property
    def items(self) -> Items:
        """What makes items of rows."""
        return self._follower.items

    @property
    def damaged(self) -> int:
        """How many damaged pairs this process passed over; a shard without a manifest is one."""
        return self.items.damaged

    @property
    def epoch(self) -> int:
        """Number of the iteration that is going on or was the last; 0 before all of them."""
        return self._position.epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration, here and in loader workers."""
        self._position.choose(epoch)

    def begin(self) -> int:
        """The epoch of an iteration that begins now."""
        return self._position.begin(last=0)[0]

    def __iter__(self) -> Iterator[Any]:
        """Read this rank's, and inside a loader this worker's, shards.

        Raises:
            TimeoutError: no shard was sealed for `timeout` seconds.
            IdentityError: what lies under the root is no dataset, or does not say how it ends.
            ValueError: a degradation that the dataset is not made of, or a damaged manifest.
            OSError: bytes of a sealed shard are missing or not those that were recorded.
            RuntimeError: a worker of a `DataLoader` cannot know which epoch to read.
        """
        info = get_worker_info()
        if info is None:
            epoch = self.begin()
        else:
            may_repeat = not self.shuffle and self.items.augment is None
            epoch = self._position.begin_in_worker(info.id, may_repeat=may_repeat, loader=LOADER)
        yield from self.items.shaped(self.attempts(epoch, info))

    def attempts(self, epoch: int, info: Any) -> Iterator[Item | PairError]:
        """What is read for this rank, inside a loader for the worker of this `info`."""
        worker, num_workers = (0, 1) if info is None else (info.id, info.num_workers)
        numbers = (self.seed, epoch)
        rng = np.random.default_rng(numbers)

        def order(shards: npt.NDArray[np.int32]) -> Indices:
            if not self.shuffle:
                return np.arange(len(shards))
            numbered = np.unique(shards, return_inverse=True)[1].reshape(-1)
            return Shuffle(numbered, self.shards_in_buffer).order(rng)

        place = worker * self.num_ranks + self.rank
        yield from self._follower.attempts(place, num_workers * self.num_ranks, order, numbers)
