import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins


@given(st.floats(0, 0.8))
def test_an_index_is_what_numpy_digitizes_to(value):
    wanted = min(int(np.digitize(value, MU_BINS.edges)) - 1, 127)
    assert MU_BINS.index(value) == wanted


@pytest.mark.parametrize("bins", [MU_BINS, SIGMA_BINS])
def test_an_edge_belongs_to_the_bin_above_it(bins):
    assert [bins.index(edge) for edge in bins.edges[:-1]] == list(range(128))
    assert bins.index(bins.high) == 127


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf")])
def test_what_is_no_severity_is_refused(value):
    with pytest.raises(ValueError, match="at least 0"):
        MU_BINS.index(value)


@pytest.mark.parametrize("arguments", [(0, 0, 1), (4, 1, 1), (4, -1, 1), (4, 0, float("nan"))])
def test_impossible_bins_are_refused(arguments):
    with pytest.raises(ValueError, match="bins need"):
        Bins(*arguments)
