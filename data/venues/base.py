"""What every exchange module offers: calls to make, and how to read the answers. No sockets.

A parse function takes the decoded JSON of one answer, in which rows may be a RowText, and may
raise ValueError, TypeError, KeyError or IndexError where it isn't what the exchange documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from data.venues.row_text import RowText
from engine.candles import FloatArray, IntArray

HOUR_MS = 3_600_000


class MarketKind(StrEnum):
    """Where a symbol trades."""

    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an exchange lists: its unified symbol, the exchange's own id, and where it trades."""

    symbol: str
    id: str
    kind: MarketKind
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class RestCall:
    """One REST request: ccxt's implicit method, its parameters, its weight and who counts it."""

    method: str
    parameters: Mapping[str, Any]
    weight: float
    pool: str


@dataclass(frozen=True, slots=True)
class WeightLimit:
    """The weight an exchange takes from one address in so many seconds."""

    weight: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """Candles as columns, oldest first, unchecked; `volume_delta` only if the exchange has it."""

    timestamp: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    volume_delta: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.timestamp)


@dataclass(frozen=True, slots=True)
class TimedValues:
    """Values at times (ms), oldest first: funding rates or open interest in the base asset."""

    time: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True)
class TimedValue:
    """A value at a time (ms), such as an open interest in the base asset."""

    time: int
    value: float


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What differs between exchanges and is no function.

    `intervals` maps Jesse's timeframes to the exchange's words. `keeps_latest` is how many
    candles the exchange keeps (None: all). `market_types` maps kinds to ccxt's words.
    `clock_valid_s` is how long a server time, once asked, can be carried on. `rows_at` names the
    way to an answer's rows of candles (see `decode_answer`).
    """

    name: str
    ccxt_class: str
    needs_credentials: bool
    has_taker_volume: bool
    intervals: Mapping[str, str]
    market_types: Mapping[MarketKind, str]
    limits: Mapping[str, WeightLimit]
    keeps_latest: int | None = None
    clock_valid_s: float = 60.0
    is_rate_limited: bool = True
    bare_symbol_is_perpetual: bool = False
    default_quote: str = "USDT"
    rows_at: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FlowHistory:
    """How an exchange pages open interest or funding: rows a page, ms a row, ms it goes back."""

    rows: int
    period_ms: int
    reaches_back_ms: int | None = None


class Venue(Protocol):
    """One exchange. Times are ms; `start` is included, `end` is not."""

    @property
    def facts(self) -> VenueFacts:
        """What is no function."""

    def id_of(self, market: Mapping[str, Any]) -> str:
        """Return the exchange's own id in a market as ccxt lists it."""

    def page_size(self, instrument: Instrument, *, is_limited: bool) -> int:
        """Return how many candles to ask for at once, for the most candles per second."""

    def candles_call(
        self, instrument: Instrument, timeframe: str, start: int, end: int, *, limit: int
    ) -> RestCall:
        """Return the request for the candles that open at start..end, at most `limit`."""

    def parse_candles(self, answer: Any) -> CandleColumns:
        """Read an answer to `candles_call`, the forming candle included."""

    def open_interest_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how open interest is paged; None where there is no history."""

    def open_interest_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the open interest at start..end, one page."""

    def parse_open_interest(self, answer: Any) -> TimedValues:
        """Read an answer to `open_interest_call`."""

    def newest_open_interest_call(self, instrument: Instrument) -> RestCall | None:
        """Return the request for the newest open interest.

        None where there is none, or where the stream tells it.
        """

    def parse_newest_open_interest(self, answer: Any) -> TimedValue:
        """Read an answer to `newest_open_interest_call`."""

    def funding_history(self, instrument: Instrument) -> FlowHistory | None:
        """Return how funding is paged, with the shortest funding interval; None for spot."""

    def funding_call(self, instrument: Instrument, start: int, end: int) -> RestCall:
        """Return the request for the funding rates at start..end, one page."""

    def parse_funding(self, answer: Any) -> TimedValues:
        """Read an answer to `funding_call`."""


def to_floats(column: Sequence[Any]) -> FloatArray:
    """Return numbers, given as numbers or as text, as float64; None becomes NaN."""
    try:
        floats = np.array(column, dtype=np.float64)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if floats.ndim != 1:
        raise ValueError("a list stands where a number should")
    return floats


def to_times(column: Sequence[Any]) -> IntArray:
    """Return whole numbers, given as numbers or as text, as int64."""
    try:
        return np.array([_whole(value) for value in column], dtype=np.int64)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error


def columns_of_rows(
    rows: Any, *, taker_buy_field: int | None = None, newest_first: bool = False
) -> CandleColumns:
    """Read rows of [open time, open, high, low, close, volume, ...].

    With `taker_buy_field` the volume delta is bought minus sold: 2 * taker buys - volume.
    """
    fields = [*range(6), *([] if taker_buy_field is None else [taker_buy_field])]
    columns = _fields_of_rows(rows, fields)
    if newest_first:
        columns = [column[::-1] for column in columns]
    time, opened, high, low, close, volume, *bought = columns
    delta = 2.0 * bought[0] - volume if bought else None
    return CandleColumns(time, opened, high, low, close, volume, delta)


def values_of_records(records: Any, time_name: str, value_name: str) -> TimedValues:
    """Read records of a time and a value in any order; the same time twice counts once."""
    if not isinstance(records, list):
        raise ValueError(f"records should be a list, not {type(records).__name__}")
    time = to_times([record[time_name] for record in records])
    values = to_floats([record[value_name] for record in records])
    time, first = np.unique(time, return_index=True)
    return TimedValues(time, values[first])


def _fields_of_rows(rows: Any, fields: Sequence[int]) -> list[npt.NDArray[Any]]:
    if isinstance(rows, RowText):
        columns = rows.columns(fields)
        if columns is not None:
            return columns
        rows = rows.decode()
    if not isinstance(rows, list):
        raise ValueError(f"candles should be a list, not {type(rows).__name__}")
    time, *numbers = fields
    return [
        to_times([row[time] for row in rows]),
        *(to_floats([row[number] for row in rows]) for number in numbers),
    ]


def _whole(value: Any) -> int:
    if value is None:
        raise ValueError("a time is missing")
    whole = int(value)
    if isinstance(value, float) and value != whole:
        raise ValueError(f"{value} is not a time in ms")
    return whole
