import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gends.histograms.bins import MU_BINS
from gends.histograms.smoothing import ENOUGH, WIDEST, bandwidth, smooth, smooth_rows
from gends.histograms.summary import quantiles
from gends.histograms.tables import span

COUNTS = arrays(np.float64, 40, elements=st.integers(0, 5).map(float))


@given(COUNTS)
def test_total_and_range_stay(counts):
    assume(counts.any())
    smoothed = smooth(counts)
    assert smoothed.sum() == pytest.approx(counts.sum())
    assert span(smoothed) == span(counts)
    assert (smoothed >= 0).all()


def test_the_kernel_narrows_as_pairs_grow():
    widths = [bandwidth(pairs) for pairs in (0.1, 1, 5, 8, 15.9, ENOUGH)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == WIDEST
    assert widths[-1] == 0


def test_gaps_of_a_sparse_histogram_are_filled():
    counts = np.zeros(20)
    counts[[4, 6, 7, 9]] = 2
    assert (smooth(counts)[4:10] > 0).all()


def test_a_dense_histogram_keeps_even_its_gaps():
    counts = np.zeros(20)
    counts[[4, 6, 7, 9]] = 200
    np.testing.assert_array_equal(smooth(counts), counts)


@pytest.mark.parametrize(("pairs", "share"), [(22, 0.9), (50, 1.0), (500, 1.0)])
def test_quantiles_of_a_sample_move_by_less_than_a_bin(pairs, share):
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    moved = []
    for seed in range(100):
        sample = np.random.default_rng(seed).beta(4, 12, pairs) * 0.4
        counts = np.histogram(sample, MU_BINS.edges)[0].astype(float)
        before = np.array(quantiles(counts, MU_BINS, levels))
        moved.append(np.abs(quantiles(smooth(counts), MU_BINS, levels) - before))
    # A quantile of 22 pairs may fall into a gap, where any value of the gap is as good.
    assert np.mean(np.array(moved) < MU_BINS.width) >= share


def test_a_sparse_row_learns_from_its_neighbours_and_an_empty_one_stays_empty():
    table = np.zeros((9, 12))
    table[3, 5] = 1
    table[4, 6:9] = 100
    smoothed = smooth_rows(table)
    assert smoothed[3, 7] > 0
    assert not smoothed[[0, 1, 2, 5, 6, 7, 8]].any()
    np.testing.assert_array_equal(smoothed[4], table[4])
