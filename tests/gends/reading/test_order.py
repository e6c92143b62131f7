from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from gends.reading.order import Shuffle, shards_of


def test_shards_are_told_apart_over_roots():
    rows = pa.table({"root": [0, 0, 1, 1, 1], "shard": [3, 7, 3, 7, 7]})
    assert shards_of(rows).tolist() == [0, 1, 2, 3, 3]
    assert shards_of(rows.slice(0, 0)).tolist() == []


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    buffer=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_reads_stay_within_a_few_shards(sizes, buffer, seed):
    shards = np.repeat(np.arange(len(sizes)), sizes)
    order = Shuffle(shards, buffer).order(np.random.default_rng(seed))
    assert sorted(order) == list(range(sum(sizes)))
    # Shards come in groups: once another group has begun, none of the last is read again.
    seen: list[set[int]] = []
    for shard in shards[order].tolist():
        if not seen or (shard not in seen[-1] and len(seen[-1]) == buffer):
            seen.append(set())
        seen[-1].add(shard)
    assert all(not a & b for i, a in enumerate(seen) for b in seen[i + 1 :])


def test_shuffling_moves_shards_and_the_pairs_in_them():
    shuffle = Shuffle(np.repeat(np.arange(50), 20), 5)
    orders = [shuffle.order(np.random.default_rng(seed)) for seed in range(200)]
    # Where a pair comes is spread evenly, and so is which pair comes first.
    places = np.array([np.flatnonzero(order == 0)[0] for order in orders])
    assert abs(places.mean() / 999 - 0.5) < 0.08
    assert np.unique([order[0] for order in orders]).size > 150
