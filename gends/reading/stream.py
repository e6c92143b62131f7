"""Iterable access: shuffled, and split over ranks and loader workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from gends.pipeline.format.damage import PairError
from gends.reading.dataset import PairDataset
from gends.reading.epochs import Epochs, Weights
from gends.reading.items import Items
from gends.reading.order import Indices, check_sharing
from gends.reading.position import Position
from gends.reading.presets import Item
from gends.reading.rows import Roots

STATE_FORMAT = 1
MOST_EPOCH = 2**63 - 1
LOADER = "gends.PairLoader"


class PairStream(IterableDataset[Any]):
    """The pairs of a dataset in shuffled order, each once per epoch over all ranks and workers.

    The order of an epoch is a function of (seed, epoch) and the rows alone, over all ranks: of R
    ranks, rank r reads every R-th pair of it from the r-th on, so ranks and loader workers only
    decide who reads what. Shards are shuffled, then the pairs within every few shards, so that
    reads stay near each other. Every rank gets the same number of pairs: the remainder of a
    division by the number of ranks, the last few of the epoch's order, is left out.

    Every new iteration reads the next epoch, whether the one before came to its end or not;
    `set_epoch` chooses another. Ranks stay in step if they begin as many iterations.

    With a `mix` an epoch is a number of draws instead: see there.

    `state_dict` says how far all ranks have come, `load_state_dict` goes on from there with any
    number of ranks. That holds for iterating over the stream itself. Workers of a `DataLoader`
    read ahead and cannot move the stream on, so there `set_epoch` has to be called before every
    iteration, and there is no state: a `PairLoader` does both.
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
        **options: Any,
    ) -> None:
        """Open dataset roots; `options` go to `PairDataset`.

        Args:
            root: as for `PairDataset`.
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
            options: all other arguments of `PairDataset`.

        Raises:
            ValueError: `rank` is not below `num_ranks`, there are fewer pairs than ranks,
                `shards_in_buffer` is below 1, a mix that does not go with the roots or without
                shuffling, `length` without a mix, or what `PairDataset` raises.
        """
        check_sharing(rank, num_ranks, shards_in_buffer)
        self.dataset = PairDataset(root, **options)
        self.epochs = Epochs(
            self.dataset,
            seed=seed,
            shuffle=shuffle,
            shards_in_buffer=shards_in_buffer,
            mix=mix,
            length=length,
        )
        if self.epochs.total < num_ranks:
            raise ValueError(
                f"{self.epochs.total} pairs in an epoch are fewer than {num_ranks} ranks, so that "
                "none would read any: take fewer ranks or more pairs, or draw pairs several times "
                'by mix="gends" and length='
            )
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.shuffle = shuffle
        self.shards_in_buffer = shards_in_buffer
        self._position = Position()

    @property
    def items(self) -> Items:
        """What makes items of rows."""
        return self.dataset.items

    @property
    def epoch(self) -> int:
        """The epoch that is being read or was read last; before all iterations the one to come."""
        return self._position.epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration, here and in loader workers.

        It begins at its beginning, unless `load_state_dict` has come somewhere in this epoch.
        """
        self._position.choose(epoch)

    def __len__(self) -> int:
        """Pairs per epoch and rank."""
        return self.epochs.total // self.num_ranks

    def __iter__(self) -> Iterator[Any]:
        """Read this rank's, and inside a loader this worker's, share of the epoch.

        Raises:
            RuntimeError: a worker of a `DataLoader` cannot know which epoch to read.
        """
        info = get_worker_info()
        if info is not None:
            yield from self.items.shaped(self._in_worker(info))
            return
        for attempt in self._in_process():
            yield from self.items.shaped([attempt])

    def _in_process(self) -> Iterator[Item | PairError]:
        epoch, start = self.begin()
        attempts = self.reader(epoch)(self.places(start))
        for count, attempt in enumerate(attempts, 1):
            self.come_to(epoch, start + count * self.num_ranks)
            yield attempt
        self.come_to(epoch, self.epochs.total)

    def _in_worker(self, info: Any) -> Iterator[Item | PairError]:
        may_repeat = not self.shuffle and self.items.augment is None
        epoch = self._position.begin_in_worker(info.id, may_repeat=may_repeat, loader=LOADER)
        yield from self.reader(epoch)(self.places(0)[info.id :: info.num_workers])

    def order(self) -> Indices:
        """Indices into the dataset in the order of `epoch`, over all ranks."""
        return self.epochs.order(self.epoch)

    def places(self, start: int) -> Indices:
        """Which places of an epoch's order this rank reads, from `start` on: as many as any."""
        count = max(self.epochs.total - start, 0) // self.num_ranks
        return start + self.rank + self.num_ranks * np.arange(count)

    def reader(self, epoch: int) -> Callable[[Indices], Iterator[Item | PairError]]:
        """A function from places of an epoch's order to their pairs, as `Items.raw` makes them."""
        order = self.epochs.order(epoch)
        return lambda places: self.dataset.attempts(
            (int(order[place]), (self.seed, epoch, place)) for place in places.tolist()
        )

    def begin(self, pairs: int = 1) -> tuple[int, int]:
        """The epoch that an iteration reads which begins now, and where in its order it begins.

        Where a state was loaded and fewer than so many `pairs` are left of its epoch for each rank,
        that is the beginning of the next one.
        """
        return self._position.begin(self.epochs.total - pairs * self.num_ranks)

    def come_to(self, epoch: int, place: int) -> None:
        """Note that all ranks have read what stands before this place of an epoch's order."""
        self._position.come_to(epoch, place)

    def state_dict(self) -> dict[str, Any]:
        """How far all ranks have come, in a few JSON values; ranks in step have the same.

        Raises:
            RuntimeError: loader workers read it, of which this process does not know how far.
        """
        if self._position.read_ahead:
            raise RuntimeError(
                f"workers of a DataLoader read ahead: take a {LOADER}, which counts what it has "
                "handed over"
            )
        return {
            "format": STATE_FORMAT,
            "epoch": self.epoch,
            "consumed": self._position.consumed,
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
        self._position.go_to(int(state["epoch"]), int(state["consumed"]))
