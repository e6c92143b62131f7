from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gends.pipeline.evaluation.bootstrap import mean_interval


def interval(values, photographs, **options):
    return mean_interval(values, photographs, **({"resamples": 2000, "seed": 0} | options))


def test_agrees_with_scipy_where_every_photograph_has_one_pair():
    values = np.random.default_rng(1).gamma(2, 3, size=60)
    ours = interval(values, np.arange(60))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.08 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.08 * width)


def test_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        found = interval(rng.normal(5, 2, size=50), np.arange(50), resamples=400)
        hits += found.low <= 5 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_pairs_of_one_photograph_count_as_one_look():
    values = np.random.default_rng(0).normal(size=30)
    alone = interval(values, np.arange(30))
    repeated = interval(np.repeat(values, 20), np.repeat(np.arange(30), 20))
    taken_apart = interval(np.repeat(values, 20), np.arange(600))
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low, rel=1e-9)
    assert taken_apart.high - taken_apart.low < 0.4 * (alone.high - alone.low)


def test_is_a_function_of_values_and_seed_in_blocks_or_not(monkeypatch):
    values, photographs = np.random.default_rng(0).normal(size=40), np.arange(40) // 2
    first = interval(values, photographs)
    assert interval(values, photographs) == first
    assert interval(values, photographs, seed=1) != first
    monkeypatch.setattr("gends.pipeline.evaluation.bootstrap._BLOCK", 100)
    assert interval(values, photographs) == first


def test_a_few_photographs_say_too_little_of_others():
    values = np.arange(40.0)
    assert interval(values, np.arange(40) % 4) is None
    assert interval(values, np.arange(40) % 5) is not None
