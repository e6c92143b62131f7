"""All epochs of a stream: which pair stands where in each."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from blake3 import blake3

from gends.reading.dataset import PairDataset
from gends.reading.mix import Mix, mix_of
from gends.reading.order import Indices, Shuffle, shards_of

MIXING = 2
"""Way of rounding shares to draws: a state of another one is refused."""
Weights = str | Sequence[float] | Mapping[str, float]


class Epochs:
    """The order of every epoch, a function of the rows and these settings; see `PairStream`."""

    def __init__(
        self,
        dataset: PairDataset,
        *,
        seed: int,
        shuffle: bool,
        shards_in_buffer: int,
        mix: Weights | None,
        length: int | None,
    ) -> None:
        """Prepare to order the rows of a dataset.

        Raises:
            ValueError: `mix` or `length` do not go with the dataset or each other.
        """
        if mix is None and length is not None:
            raise ValueError(f"length={length} needs a mix: without one every pair is read once")
        if mix is not None and not shuffle:
            raise ValueError("a mix is drawn at random: not with shuffle=False")
        self._rows = dataset.rows
        self._seed = seed
        self._shuffle = Shuffle(shards_of(dataset.rows), shards_in_buffer) if shuffle else None
        self._mix: Mix | None = None
        self.total = len(dataset)
        if mix is not None:
            self.total = len(dataset) if length is None else length
            self._mix = Mix(*mix_of(dataset.rows, dataset.items.roots, mix), self.total)
        self._settings: tuple[object, ...] = (
            seed,
            shuffle,
            shards_in_buffer,
            repr(mix),
            self.total,
        )
        if mix is not None:
            self._settings += (MIXING,)

    def order(self, epoch: int) -> Indices:
        """Indices into the dataset, over all ranks."""
        if self._shuffle is None:
            return np.arange(self.total)
        if self._mix is not None:
            return self._mix.order(self._seed, epoch, self._shuffle)
        return self._shuffle.order(np.random.default_rng((self._seed, epoch)))

    @functools.cached_property
    def digest(self) -> str:
        """Of all that decides the orders: equal where they are."""
        known = blake3(repr(self._settings).encode())
        for name in ("root", "shard", "key"):
            known.update("\n".join(map(str, self._rows[name].to_pylist())).encode())
        return known.hexdigest(8)
