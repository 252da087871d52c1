"""Open interest and funding that belong to fetched candles: downloaded and stored beside them.

Both are extras: whoever calls this goes on with the candles when it fails.
"""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from functools import partial
from typing import Final

import numpy as np

from data.cache import CandleStore, SeriesKey
from data.download import in_order
from data.errors import NoCandles
from data.exchange import ExchangeClient
from data.funding import FundingStore
from data.funding_download import check_window, download_funding, settled
from data.orderflow import (
    OPEN_INTEREST_DELAY_MS,
    OPEN_INTEREST_STALE_MS,
    align_open_interest,
)
from data.ranges import Range, unite
from data.retry import RetryPolicy
from data.venues.base import FlowHistory, Instrument, TimedValues
from engine.candles import PRICE_COLUMNS, CandleSeries, FloatArray, IntArray, format_time
from engine.timeframe import DAY_MS, floor_to_timeframe, get_timeframe_ms

_IN_FLIGHT: Final = 8
_STORED_AT_ONCE_MS: Final = 30 * DAY_MS
_ONCE: Final = RetryPolicy(tries=1)


async def add_open_interest(
    store: CandleStore,
    key: SeriesKey,
    exchange: ExchangeClient,
    instrument: Instrument,
    ranges: Iterable[Range],
    *,
    now: int,
) -> None:
    """Add the open interest that was known at each close to stored candles of some ranges.

    Where the exchange has no such history, or only a shorter one, candles stay as they are.

    Raises:
        ExchangeError: the exchange can't be asked, or sent something else.
    """
    history = exchange.venue.open_interest_history(instrument)
    if history is None:
        return
    oldest = 0 if history.reaches_back_ms is None else now - history.reaches_back_ms
    for start, end in _portions(ranges, key.timeframe):
        if end > oldest:
            known = await _download(exchange, instrument, history, (start, end), oldest)
            await asyncio.to_thread(_store, store, key, (start, end), known)


async def fetch_open_interest(
    exchange: ExchangeClient, instrument: Instrument, closes: IntArray, *, now: int
) -> FloatArray:
    """Return the open interest known at each close (ms, ascending) as the store has it, else NaN.

    Asked for once, without repetition: for candles that wait for it.

    Raises:
        ExchangeError: the exchange can't be asked, or sent something else.
    """
    history = exchange.venue.open_interest_history(instrument)
    if history is None or not len(closes):
        return np.full(len(closes), np.nan)
    oldest = 0 if history.reaches_back_ms is None else now - history.reaches_back_ms
    wanted = int(closes[0]), int(closes[-1]) + 1
    known = await _download(exchange, instrument, history, wanted, oldest, policy=_ONCE)
    return align_open_interest(closes, known.time, known.values)


async def update_funding(
    store: FundingStore,
    symbol: str,
    exchange: ExchangeClient,
    instrument: Instrument,
    asked: Range,
    *,
    now: int,
) -> None:
    """Download the funding rates of a perpetual that the store doesn't have for a time (ms).

    Raises:
        ExchangeError: the exchange can't be asked, or sent something else.
        StoreError: the stored rates are damaged, or can't be written.
    """
    end = settled(asked[1], now)
    missing = await asyncio.to_thread(store.missing_ranges, exchange.name, symbol, asked[0], end)
    async with aclosing(download_funding(exchange, instrument, missing)) as pages:
        async for window, rates in pages:
            await asyncio.to_thread(store.write, exchange.name, symbol, rates, window)


def _portions(ranges: Iterable[Range], timeframe: str) -> list[Range]:
    size = max(_STORED_AT_ONCE_MS, get_timeframe_ms(timeframe))
    return [
        (first, min(floor_to_timeframe(first + size, timeframe), end))
        for start, end in unite(ranges)
        for first in _starts(start, end, size, timeframe)
    ]


def _starts(start: int, end: int, size: int, timeframe: str) -> list[int]:
    starts = []
    while start < end:
        starts.append(start)
        start = floor_to_timeframe(start + size, timeframe)
    return starts


async def _download(
    exchange: ExchangeClient,
    instrument: Instrument,
    history: FlowHistory,
    candles: Range,
    oldest: int,
    policy: RetryPolicy | None = None,
) -> TimedValues:
    # The value known at the first close may be as old as the longest one that still counts.
    first = max(candles[0] - OPEN_INTEREST_DELAY_MS - OPEN_INTEREST_STALE_MS, oldest)
    first = -(-first // history.period_ms) * history.period_ms
    span = history.rows * history.period_ms
    windows = [(at, min(at + span, candles[1])) for at in range(first, candles[1], span)]
    asks = [partial(_ask, exchange, instrument, window, policy) for window in windows]
    async with aclosing(in_order(asks, _IN_FLIGHT)) as pages:
        parts = [part async for part in pages]
    if not parts:
        return TimedValues(np.empty(0, dtype=np.int64), np.empty(0))
    time = np.concatenate([part.time for part in parts])
    return TimedValues(time, np.concatenate([part.values for part in parts]))


async def _ask(
    exchange: ExchangeClient, instrument: Instrument, window: Range, policy: RetryPolicy | None
) -> TimedValues:
    call = exchange.venue.open_interest_call(instrument, *window)
    what = f"open interest of {instrument.symbol} from {format_time(window[0])}"
    values = await exchange.ask(call, exchange.venue.parse_open_interest, what, policy=policy)
    check_window(values, window, what)
    return values


def _store(store: CandleStore, key: SeriesKey, candles: Range, known: TimedValues) -> None:
    try:
        stored = store.read(key, *candles, columns=("timestamp", *PRICE_COLUMNS))
    except NoCandles:
        return
    aligned = align_open_interest(stored.close_time, known.time, known.values)
    if not np.isnan(aligned).all():
        columns = {name: getattr(stored, name) for name in PRICE_COLUMNS}
        with_interest = CandleSeries(
            key.timeframe, stored.timestamp, **columns, open_interest=aligned
        )
        store.write(key, with_interest, volume_delta_source=None)
