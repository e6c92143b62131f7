"""Iterable access: shuffled, and split over ranks and loader workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import IterableDataset, get_worker_info

from gends.pipeline.format.damage import PairError
from gends.reading.dataset import PairDataset
from gends.reading.epochs import Epochs, Weights
from gends.reading.follow import Follower
from gends.reading.order import Indices, Shuffle
from gends.reading.presets import Item
from gends.reading.rows import Roots
from gends.reading.shared import shared_numbers

STATE_FORMAT = 1
MOST_EPOCH = 2**63 - 1
TAKE_LOADER = "take a gends.PairLoader, which counts what it has handed over"


class PairStream(IterableDataset[Any]):
    """The pairs of a dataset in shuffled order, each once per epoch over all ranks and workers.

    The order of an epoch is a function of (seed, epoch) and the rows alone, over all ranks: of R
    ranks, rank r reads every R-th pair of it from the r-th on, so ranks and loader workers only
    decide who reads what. Shards are shuffled, then the pairs within every few shards, so that
    reads stay near each other. Every rank gets the same number of pairs: the remainder of a
    division by the number of ranks, the last few of the epoch's order, is left out.

    With a `mix` an epoch is a number of draws instead: see there.

    `state_dict` says how far all ranks have come, `load_state_dict` goes on from there with any
    number of ranks. That holds for iterating over the stream itself; with loader workers, which
    read ahead, take a `PairLoader`.

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
        root: Roots,
        *,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        shuffle: bool = True,
        shards_in_buffer: int = 4,
        mix: Weights | None = None,
        length: int | None = None,
        follow: bool = False,
        poll: float = 10.0,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        """Open dataset roots; `options` go to `PairDataset`.

        Args:
            root: as for `PairDataset`; with `follow` one root, which `gends-build run` is going to
                write or is writing.
            seed: decides the order, together with the epoch.
            rank: which of the readers this is.
            num_ranks: how many readers there are.
            shuffle: False reads in order of root, shard and key.
            shards_in_buffer: shards whose pairs are shuffled together.
            mix: "gends" draws every degradation alike, and within each every origin alike
                (original:generated = 1:1). Weights of the roots, a list in their order or a dict
                by their names, draw so many of each. A pair comes again only when all of its part
                have come. None reads every pair once.
            length: draws per epoch with a mix, over all ranks; by default the number of pairs.
            follow: read shards as they are sealed instead of those that there are.
            poll: seconds between two looks at the root while nothing new is there. A look is one
                listing of the manifests by each loader worker: many readers of one bucket do well
                with a minute.
            timeout: seconds without a shard sealed after which to give up; None waits for ever.
                Let it be longer than a shard and the restart of a build take.
            options: all other arguments of `PairDataset`. While following, a split, origin or
                severity that no pair has is not noticed.

        Raises:
            ValueError: `rank` is not below `num_ranks`, `shards_in_buffer` is below 1, `poll` or
                `timeout` is not above 0, a mix that does not go with the roots or without
                shuffling, `length` without a mix, or what `PairDataset` raises.
        """
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank must be in [0, num_ranks), got {rank} of {num_ranks}")
        if shards_in_buffer < 1:
            raise ValueError(f"shards_in_buffer must be at least 1, got {shards_in_buffer}")
        if follow and (mix is not None or length is not None):
            raise ValueError("follow reads what comes: without mix and length")
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
        self._epochs: Epochs | None = None
        if isinstance(self.dataset, PairDataset):
            self._epochs = Epochs(
                self.dataset,
                seed=seed,
                shuffle=shuffle,
                shards_in_buffer=shards_in_buffer,
                mix=mix,
                length=length,
            )
        self._consumed = 0
        # The epoch, where in its order to begin, and whether loader workers have read: in shared
        # memory, because persistent workers, too, must see the epoch change.
        self._shared = shared_numbers(0, 0, 0)

    @property
    def epoch(self) -> int:
        """Which order the next iteration takes; 0 until `set_epoch` is called."""
        return int(self._shared[0])

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration, here and in loader workers.

        It begins at its beginning, unless `load_state_dict` has come somewhere in this epoch.
        """
        if epoch != self.epoch:
            self._set(epoch, 0)

    def _set(self, epoch: int, start: int) -> None:
        self._shared[0], self._shared[1] = epoch, start
        self._consumed = start

    def __len__(self) -> int:
        """Pairs per epoch and rank.

        Raises:
            TypeError: the stream follows a dataset whose end is not known.
        """
        return self.epochs.total // self.num_ranks

    def __iter__(self) -> Iterator[Any]:
        """Read this rank's, and inside a loader this worker's, share of the epoch.

        While following this also raises:
            TimeoutError: no shard was sealed for `timeout` seconds.
            IdentityError: what lies under the root is no dataset, or does not say how it ends.
            ValueError: a degradation that the dataset is not made of, or a damaged manifest.
            OSError: bytes of a sealed shard are missing or not those that were recorded.
        """
        info = get_worker_info()
        items = self.dataset.items
        if isinstance(self.dataset, Follower):
            yield from items.shaped(self.followed(info))
        elif info is not None:
            yield from items.shaped(self._in_worker(info))
        else:
            for attempt in self._in_process():
                yield from items.shaped([attempt])

    def _in_process(self) -> Iterator[Item | PairError]:
        epoch, start = self.begin()
        attempts = self.reader(epoch)(self.places(start))
        for count, attempt in enumerate(attempts, 1):
            self.come_to(epoch, start + count * self.num_ranks)
            yield attempt
        self.come_to(epoch, self.epochs.total)

    def _in_worker(self, info: Any) -> Iterator[Item | PairError]:
        self._shared[2] = 1
        if self._shared[1]:
            raise RuntimeError(f"a DataLoader cannot resume a stream with workers: {TAKE_LOADER}")
        mine = self.places(0)[info.id :: info.num_workers]
        yield from self.reader(self.epoch)(mine)

    def followed(self, info: Any) -> Iterator[Item | PairError]:
        """What a `Follower` reads for this rank, inside a loader for the worker of this `info`."""
        assert isinstance(self.dataset, Follower)
        worker, num_workers = (0, 1) if info is None else (info.id, info.num_workers)
        rng = np.random.default_rng((self.seed, self.epoch))

        def order(shards: npt.NDArray[np.int32]) -> Indices:
            if not self.shuffle:
                return np.arange(len(shards))
            numbered = np.unique(shards, return_inverse=True)[1].reshape(-1)
            return Shuffle(numbered, self.shards_in_buffer).order(rng)

        place = worker * self.num_ranks + self.rank
        numbers = (self.seed, self.epoch)
        yield from self.dataset.attempts(place, num_workers * self.num_ranks, order, numbers)

    @property
    def epochs(self) -> Epochs:
        """The orders of all epochs.

        Raises:
            TypeError: the stream follows a dataset, whose order is not known before.
        """
        if self._epochs is None:
            assert isinstance(self.dataset, Follower)
            raise TypeError(
                f"{self.dataset.root.url}: a stream with follow=True has neither length nor order: "
                "its dataset may still grow; count in steps instead of epochs"
            )
        return self._epochs

    def order(self) -> Indices:
        """Indices into the dataset in the order of the current epoch, over all ranks.

        Raises:
            TypeError: the stream follows a dataset, whose order is not known before.
        """
        return self.epochs.order(self.epoch)

    def places(self, start: int) -> Indices:
        """Which places of an epoch's order this rank reads, from `start` on: as many as any."""
        count = max(self.epochs.total - start, 0) // self.num_ranks
        return start + self.rank + self.num_ranks * np.arange(count)

    def reader(self, epoch: int) -> Callable[[Indices], Iterator[Item | PairError]]:
        """A function from places of an epoch's order to their pairs, as `Items.raw` makes them."""
        dataset, order = self.dataset, self.epochs.order(epoch)
        assert isinstance(dataset, PairDataset)
        return lambda places: dataset.attempts(
            (int(order[place]), (self.seed, epoch, place)) for place in places.tolist()
        )

    def begin(self) -> tuple[int, int]:
        """The epoch, and where in its order an iteration that begins now begins."""
        epoch, start = self.epoch, int(self._shared[1])
        self._shared[1] = 0
        self._consumed = start
        return epoch, start

    def come_to(self, epoch: int, place: int) -> None:
        """Note that all ranks have read what stands before this place of an epoch's order."""
        if epoch == self.epoch:  # and it was not changed while another was read
            self._consumed = place

    def state_dict(self) -> dict[str, Any]:
        """How far all ranks have come, in a few JSON values; ranks in step have the same.

        Raises:
            TypeError: the stream follows a dataset.
            RuntimeError: loader workers read it, of which this process does not know how far.
        """
        if self._shared[2]:
            raise RuntimeError(f"workers of a DataLoader read ahead: {TAKE_LOADER}")
        return {
            "format": STATE_FORMAT,
            "epoch": self.epoch,
            "consumed": self._consumed,
            "total": self.epochs.total,
            "order": self.epochs.digest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where a stream stood, with these or other ranks.

        Raises:
            ValueError: the state is of another dataset, choice, seed, mix or order of it, or none
                that a stream writes.
        """
        here = {"format": STATE_FORMAT, "total": self.epochs.total, "order": self.epochs.digest}
        differs = [name for name, value in here.items() if state.get(name) != value]
        if differs:
            found = ", ".join(
                f"{name} {state.get(name)!r} against {here[name]!r}" for name in differs
            )
            raise ValueError(
                f"the state is of another stream ({found}): roots, filters, seed, mix, shuffle and "
                "shards_in_buffer must be what they were; or begin an epoch anew by set_epoch"
            )
        for name, most in (("epoch", MOST_EPOCH), ("consumed", self.epochs.total)):
            value = state.get(name)
            if not isinstance(value, int | np.integer) or not 0 <= value <= most:
                raise ValueError(
                    f"no stream writes a state with {name} {value!r}: it is a whole number from 0 "
                    f"to {most}; load one as state_dict() gave it, or begin an epoch by set_epoch"
                )
        self._set(int(state["epoch"]), int(state["consumed"]))
