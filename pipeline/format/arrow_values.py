"""Arrow arrays of a few values, without pandas.

`pyarrow.array` and `pyarrow.scalar` import pandas, where it is installed, to see whether what they
are given is of its types. That takes 27 MB and half a second of every process that reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def texts(*values: str) -> pa.StringArray:
    """An array of texts; `texts("…")[0]` is a scalar."""
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    data = pa.py_buffer(b"".join(encoded))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), data)


def numbers(values: npt.ArrayLike | Sequence[float]) -> pa.Array:
    """An array of numbers, of numpy's type for them; `numbers([0])[0]` is a scalar."""
    array = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(array.dtype)
    return pa.Array.from_buffers(kind, len(array), [None, pa.py_buffer(array)])


def as_numpy(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """A copy of a column of numbers, none of them missing."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    empty = np.empty(0, column.type.to_pandas_dtype())
    return np.concatenate([empty, *map(np.from_dlpack, chunks)])
