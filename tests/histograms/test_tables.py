import pickle

import numpy as np
import pytest

from gends.histograms.tables import DatasetHistogram, SeverityTable

ONES = np.ones(8)
DATASET = DatasetHistogram(mu=ONES, sigma=ONES)


@pytest.mark.parametrize(
    ("mu", "message"),
    [
        (-ONES, "not negative"),
        (ONES * np.nan, "not negative"),
        (0 * ONES, "all zero"),
        (np.ones((2, 2)), "dimension"),
    ],
)
def test_impossible_counts_are_refused(mu, message):
    with pytest.raises(ValueError, match=message):
        DatasetHistogram(mu=mu, sigma=ONES)


@pytest.mark.parametrize("weight", [-0.1, float("inf"), float("nan")])
def test_impossible_weights_are_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        DatasetHistogram(mu=ONES, sigma=ONES, weight=weight)


def test_a_table_needs_something_to_draw():
    idle = DatasetHistogram(mu=ONES, sigma=ONES, weight=0)
    with pytest.raises(ValueError, match="weight above 0"):
        SeverityTable(datasets={"a": idle}, sigma_given_mu=np.ones((8, 8)))
    with pytest.raises(ValueError, match="weight above 0"):
        SeverityTable(datasets={}, sigma_given_mu=np.ones((8, 8)))


def test_counts_are_copied_and_cannot_be_written():
    mine = np.ones(8)
    histogram = DatasetHistogram(mu=mine, sigma=ONES)
    mine[:] = 7
    assert histogram.pairs == 8
    with pytest.raises(ValueError, match="read-only"):
        histogram.mu[0] = 3


def test_tables_travel_between_processes():
    table = SeverityTable(datasets={"b": DATASET, "a": DATASET}, sigma_given_mu=np.eye(8))
    copy = pickle.loads(pickle.dumps(table))
    assert list(copy.datasets) == ["a", "b"]
    np.testing.assert_array_equal(copy.sigma_given_mu, np.eye(8))
