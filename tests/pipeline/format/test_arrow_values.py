from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gends.pipeline.format.arrow_values import as_numpy, numbers, texts


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_texts_are_what_arrow_makes_of_them(values):
    made = texts(*values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float64])
def test_numbers_are_what_arrow_makes_of_them(kind):
    values = np.arange(7)[::-2].astype(kind)
    made = numbers(values)
    made.validate(full=True)
    assert made.equals(pa.array(values))
    assert as_numpy(made).tolist() == values.tolist()


def test_scalars_compare_with_columns():
    column = pa.chunked_array([["haze"], ["rain", "haze"]])
    assert pc.equal(column, texts("haze")[0]).to_pylist() == [True, False, True]
    column = pa.chunked_array([pa.array([0.1, 0.2], pa.float32())])
    assert pc.less_equal(column, numbers([0.15])[0]).to_pylist() == [True, False]


def test_columns_in_several_pieces_or_none():
    column = pa.chunked_array([[1, 2], [], [3]], pa.int32())
    found = as_numpy(column.slice(1))
    assert (found.tolist(), found.dtype) == ([2, 3], np.int32)
    none = as_numpy(pa.chunked_array([], pa.int64()))
    assert (len(none), none.dtype) == (0, np.int64)
