"""The format of one month of candles in Parquet, as bytes. Paths and locks live elsewhere."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from data.arrow_columns import to_arrow, to_numpy
from data.errors import StoreError
from data.parquet_seal import check_seal, extract_footer, seal
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries
from engine.errors import InvalidCandles
from engine.timeframe import get_timeframe_ms

_FLOATS: Final = (*PRICE_COLUMNS, *FLOW_COLUMNS)
_TYPES: Final = {"timestamp": pa.int64(), **dict.fromkeys(_FLOATS, pa.float64())}

# What reading damaged bytes can end in; no file is touched while they are read.
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a month's candles come from; kept in the file's key-value metadata."""

    exchange: str
    symbol: str
    timeframe: str
    volume_delta_source: str | None


@dataclass(frozen=True, slots=True)
class StoredMonth:
    """The candles of one month file and their origin (None in files of other programs)."""

    candles: CandleSeries
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Footer:
    """What a month file says of itself without its columns: times in ms, number of candles."""

    first: int
    last: int
    candles: int
    origin: Origin | None


def month_bounds(month: str) -> tuple[int, int]:
    """Return the first moment of a UTC month such as 2024-01 and of the next one, in ms."""
    start = np.datetime64(month, "M")
    first, stop = (int(m.astype("datetime64[ms]").astype(np.int64)) for m in (start, start + 1))
    return first, stop


def month_capacity(month: str, timeframe: str) -> int:
    """Return how many candles a month can hold at most."""
    first, stop = month_bounds(month)
    return (stop - first) // get_timeframe_ms(timeframe) + 1


def encode_month(candles: CandleSeries, origin: Origin) -> bytes:
    """Return candles as the bytes of a Parquet file."""
    unknown = np.full(len(candles), np.nan)
    arrays = [
        to_arrow(unknown if column is None else column, kind)
        for name, kind in _TYPES.items()
        for column in [getattr(candles, name)]
    ]
    metadata = {
        "exchange": origin.exchange,
        "symbol": origin.symbol,
        "timeframe": origin.timeframe,
        **({"volume_delta_source": s} if (s := origin.volume_delta_source) else {}),
    }
    schema = pa.schema(list(_TYPES.items()), metadata=metadata)
    sink = pa.BufferOutputStream()
    # Fast to read before small: 2.1 M candles take 70 MB and load in a tenth of a second.
    pq.write_table(
        pa.table(arrays, schema=schema),
        sink,
        compression="lz4",
        use_dictionary=False,
        column_encoding={"timestamp": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    # Checksums, because a flipped bit in a price would otherwise be just another price.
    return seal(sink.getvalue().to_pybytes())


def decode_month(
    content: bytes, month: str, timeframe: str, flow: Collection[str] = FLOW_COLUMNS
) -> StoredMonth:
    """Return the candles in the bytes of a month file, checked, with the asked flow columns.

    Raises:
        StoreError: the bytes are damaged, or are not the candles of that month; says why.
    """
    names = ("timestamp", *PRICE_COLUMNS, *(name for name in FLOW_COLUMNS if name in flow))
    try:
        file = _open(content)
        table = file.read(columns=list(names), use_threads=False)
        columns: dict[str, Any] = {name: _column(table, name) for name in names}
        candles = CandleSeries(timeframe, **columns)
        origin = _origin_of(table.schema.metadata)
    except InvalidCandles as error:
        raise StoreError(str(error)) from error
    except _UNREADABLE as error:
        raise StoreError(f"not a readable Parquet file: {_first_line(error)}") from error
    first, stop = month_bounds(month)
    if not len(candles):
        raise StoreError("it holds no candles")
    if not first <= candles.timestamp[0] <= candles.timestamp[-1] < stop:
        raise StoreError("it holds candles of another month")
    return StoredMonth(candles, origin)


def decode_footer(tail: bytes, month: str) -> Footer | None:
    """Return what the end of a month file says; None where only the whole file can tell."""
    footer_bytes = extract_footer(tail)
    if footer_bytes is None:
        return None
    try:
        metadata = pq.read_metadata(pa.BufferReader(footer_bytes))
        place = metadata.schema.names.index("timestamp")
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        times = [group.column(place).statistics for group in groups]
        bounds = [int(bound) for time in times for bound in (time.min, time.max)]
        footer = Footer(bounds[0], bounds[-1], metadata.num_rows, _origin_of(metadata.metadata))
    except (*_UNREADABLE, AttributeError, IndexError):
        return None
    first, stop = month_bounds(month)
    is_plausible = footer.candles > 0 and first <= footer.first <= footer.last < stop
    return footer if is_plausible else None


def _open(content: bytes) -> pq.ParquetFile:
    is_sealed = check_seal(content)
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=not is_sealed)
    found = {field.name: field.type for field in file.schema_arrow}
    if found != _TYPES:
        columns = ", ".join(f"{name} {kind}" for name, kind in found.items())
        raise StoreError(f"its columns are {columns[:200]}")
    return file


def _column(table: pa.Table, name: str) -> npt.NDArray[Any] | None:
    array = to_numpy(table.column(name))
    return None if name in FLOW_COLUMNS and np.isnan(array).all() else array


def _origin_of(metadata: dict[bytes, bytes] | None) -> Origin | None:
    texts = {key.decode(): value.decode() for key, value in (metadata or {}).items() if value}
    if not {"exchange", "symbol", "timeframe"} <= texts.keys():
        return None
    source = texts.get("volume_delta_source")
    return Origin(texts["exchange"], texts["symbol"], texts["timeframe"], source)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
