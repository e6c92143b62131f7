"""In which order an epoch reads its pairs: functions of (seed, epoch) and the rows alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gends.pipeline.format.arrow_values import as_numpy

Indices = npt.NDArray[np.int64]


def shards_of(rows: pa.Table) -> Indices:
    """For each row the shard it is in, numbered over all roots."""
    place = as_numpy(rows["root"]).astype(np.int64) << 32 | as_numpy(rows["shard"])
    return np.unique(place, return_inverse=True)[1].reshape(-1)


def check_sharing(rank: int, num_ranks: int, shards_in_buffer: int) -> None:
    """Raise ValueError unless `rank` is one of `num_ranks`, and shards can be shuffled."""
    if not 0 <= rank < num_ranks:
        raise ValueError(f"rank must be in [0, num_ranks), got {rank} of {num_ranks}")
    if shards_in_buffer < 1:
        raise ValueError(f"shards_in_buffer must be at least 1, got {shards_in_buffer}")


class Shuffle:
    """Shards in random order, and the pairs within every few shards: reads stay near each other."""

    def __init__(self, shards: Indices, shards_in_buffer: int) -> None:
        """Shuffle rows of `shards`, numbered from 0, within so many of them at a time."""
        self._shards = shards
        self._num_shards = int(shards.max(initial=-1)) + 1
        self._shards_in_buffer = shards_in_buffer

    def buffers(self, rng: np.random.Generator) -> Indices:
        """For each row the number of the buffer that it is read in."""
        return (rng.permutation(self._num_shards) // self._shards_in_buffer)[self._shards]

    def order(self, rng: np.random.Generator) -> Indices:
        """All rows."""
        return arranged(np.arange(len(self._shards)), self.buffers(rng), rng)


def arranged(indices: Indices, buffers: Indices, rng: np.random.Generator) -> Indices:
    """These rows, buffer by buffer, in random order within each."""
    return indices[np.argsort(buffers[indices] + rng.random(len(indices)))]
