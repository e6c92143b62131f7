from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends import PairStream
from gends.reading.mix import Mix, mix_of
from gends.reading.order import Shuffle
from gends.reading.rows import Root


def table(counts: dict[tuple[str, str], int]) -> pa.Table:
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    return pa.table(
        {
            "degradation": pa.array([degradation for degradation, _ in kinds], pa.string()),
            "origin": pa.array([origin for _, origin in kinds], pa.string()),
            "root": pa.array([origin == "generated" for _, origin in kinds]).cast(pa.int32()),
        }
    )


UNEVEN = {
    ("haze", "original"): 5,
    ("haze", "generated"): 60,
    ("rain", "original"): 40,
    ("rain", "generated"): 40,
    ("snow", "generated"): 7,
}
ROOTS = [Root("a", "original"), Root("b", "generated")]


def drawn(rows: pa.Table, mix, length: int, epoch: int = 0) -> list[int]:
    shuffle = Shuffle(np.arange(len(rows)) // 10, 2)
    return Mix(*mix_of(rows, ROOTS, mix), length).order(3, epoch, shuffle).tolist()


def test_gends_draws_degradations_alike_and_origins_alike_in_them():
    rows = table(UNEVEN)
    kinds = list(zip(*(rows[name].to_pylist() for name in ("degradation", "origin")), strict=True))
    counts = Counter(kinds[index] for index in drawn(rows, "gends", 1200))
    assert counts == {
        ("haze", "original"): 200,
        ("haze", "generated"): 200,
        ("rain", "original"): 200,
        ("rain", "generated"): 200,
        ("snow", "generated"): 400,
    }
    # Also in every part of the epoch, so that all batches are mixed.
    parts = np.array_split(drawn(rows, "gends", 1200), 6)
    for part in parts:
        assert 40 < sum(kinds[index][0] == "haze" for index in part) < 95


@pytest.mark.parametrize("mix", [[1, 3], {"generated": 3, "original": 1}])
def test_weights_of_roots(mix):
    rows = table(UNEVEN)
    root = rows["root"].to_pylist()
    assert Counter(root[index] for index in drawn(rows, mix, 400)) == {0: 100, 1: 300}
    only = drawn(rows, [0, 1] if isinstance(mix, list) else {"generated": 1, "original": 0}, 50)
    assert {root[index] for index in only} == {1}


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    shares=st.lists(st.integers(1, 5), min_size=4, max_size=4),
    length=st.integers(1, 60),
    epochs=st.integers(1, 4),
)
def test_no_pair_comes_again_before_all_of_its_part_have_come(sizes, shares, length, epochs):
    bounds = np.cumsum([0, *sizes])
    strata = [np.arange(a, b) for a, b in itertools.pairwise(bounds)]
    mix = Mix(strata, shares[: len(sizes)], length)
    shuffle = Shuffle(np.arange(bounds[-1]) // 3, 2)
    orders = [mix.order(7, epoch, shuffle) for epoch in range(epochs)]
    assert all(len(order) == length for order in orders)
    found = Counter(np.concatenate(orders).tolist())
    for stratum in strata:
        times = [found[index] for index in stratum.tolist()]
        assert max(times) - min(times) <= 1
    assert all(np.array_equal(order, mix.order(7, e, shuffle)) for e, order in enumerate(orders))


def test_shares_are_rounded_to_the_length():
    strata = [np.arange(4), np.arange(4, 8), np.arange(8, 12)]
    for length in range(1, 20):
        mix = Mix(strata, [1, 1, 1], length)
        for epoch in range(4):
            counts = mix.counts(epoch)
            assert counts.sum() == length
            assert np.ptp(counts) <= 1


@given(
    shares=st.lists(st.floats(0.001, 5) | st.just(0), min_size=1, max_size=12).filter(any),
    length=st.integers(1, 40),
)
def test_what_epochs_round_off_is_made_up_for(shares, length):
    strata = [np.arange(n, n + 1) for n in range(len(shares))]
    mix, epochs = Mix(strata, shares, length), 60
    counts = np.stack([mix.counts(epoch) for epoch in range(epochs)])
    assert (counts >= 0).all()
    assert (counts.sum(axis=1) == length).all()
    wanted = np.array(shares) / sum(shares) * length * np.arange(1, epochs + 1)[:, None]
    assert np.abs(counts.cumsum(axis=0) - wanted).max() < 1 + len(shares) / 2
    assert not counts[:, np.array(shares) == 0].any()
    # Also when a later epoch is asked for first.
    assert (Mix(strata, shares, length).counts(epochs - 1) == counts[-1]).all()


def test_a_small_share_comes_in_some_epochs():
    strata = [np.arange(10), np.arange(10, 20), np.arange(20, 30)]
    mix, shuffle = Mix(strata, [1, 1, 0.02], 10), Shuffle(np.arange(30) // 10, 2)
    rare = [(mix.order(1, epoch, shuffle) >= 20).sum() for epoch in range(100)]
    assert sum(rare) == pytest.approx(10, abs=1)
    assert max(rare) == 1


def test_mixes_that_cannot_be_are_refused():
    rows = table(UNEVEN)
    for mix, says in (
        ("even", 'mix must be "gends" or weights'),
        ([1, 2, 3], "mix has 3 weights, and there are 2 roots"),
        ({"original": 1}, r"mix names \['original'\], and the roots are \['generated', 'orig"),
        ([0, 0], "shares from 0 on, and not only 0"),
        ([1, -1], "shares from 0 on"),
        ([1, float("nan")], "shares from 0 on"),
        ({"original": 1, "generated": "x"}, r"shares from 0 on, .* got \[1, 'x'\]"),
        (5, 'mix must be "gends" or weights, got 5'),
    ):
        with pytest.raises(ValueError, match=says):
            drawn(rows, mix, 10)
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        drawn(rows, "gends", 0)
    with pytest.raises(ValueError, match=r"part 0 of the mix has a share of 1 and no pairs"):
        drawn(rows.filter(pc.equal(rows["root"], 1)), [1, 1], 10)


def test_a_stream_that_mixes(finished):
    root = finished.store.root
    stream = PairStream(root, mix="gends", length=60, num_ranks=2, seed=1)
    items = list(stream)
    assert len(items) == len(stream) == 30
    other = list(PairStream(root, mix="gends", length=60, num_ranks=2, rank=1, seed=1))
    counts = Counter(item["degradation"] for item in items + other)
    assert set(counts.values()) == {10}
    assert len(PairStream(root, mix="gends")) == len(PairStream(root))
    with pytest.raises(ValueError, match="length=5 needs a mix"):
        PairStream(root, length=5)
    with pytest.raises(ValueError, match="not with shuffle=False"):
        PairStream(root, mix="gends", shuffle=False)
