"""Arrow columns as NumPy arrays and back, without pandas. No I/O.

Arrow's own conversions import pandas, which takes half a second; these only share memory.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def to_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return an int64 or float64 column; missing floats are NaN, missing integers an error.

    Raises:
        ValueError: another type, or integers that are missing.
    """
    if column.type not in (pa.int64(), pa.float64()):
        raise ValueError(f"a column of {column.type} is neither int64 nor float64")
    if column.null_count and column.type == pa.int64():
        raise ValueError(f"{column.null_count} values are missing")
    arrays = [_chunk_to_numpy(chunk) for chunk in column.chunks if len(chunk)]
    if len(arrays) == 1:
        return arrays[0]
    dtype = np.int64 if column.type == pa.int64() else np.float64
    return np.concatenate([np.empty(0, dtype), *arrays])


def to_arrow(column: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return a contiguous NumPy column of that type as an Arrow array of the same memory."""
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])


def _chunk_to_numpy(chunk: pa.Array) -> npt.NDArray[Any]:
    validity, values = chunk.buffers()
    dtype = np.dtype(np.int64 if chunk.type == pa.int64() else np.float64)
    array = np.frombuffer(values, dtype, len(chunk), chunk.offset * dtype.itemsize)
    if not chunk.null_count:
        return array
    bits = np.frombuffer(validity, np.uint8)
    known = np.unpackbits(bits, bitorder="little")[chunk.offset : chunk.offset + len(chunk)]
    return np.where(known, array, np.nan)
