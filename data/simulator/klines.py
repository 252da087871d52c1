"""Which candles an exchange would show at a moment, the forming one included.

Pure functions of the market and a time; neither text nor requests.
"""

import numpy as np

from data.simulator.intervals import (
    HOUR_MS,
    interval_ms,
    join_candles,
    next_open_time,
    open_time_of,
)
from data.simulator.market import SimulatedMarket
from data.simulator.noise import Floats, Integers
from data.simulator.path import CANDLE_UNITS, MINUTE_MS, CandleUnits


def select_klines(
    market: SimulatedMarket,
    symbol: str,
    interval: str,
    *,
    now_ms: int,
    limit: int,
    start_ms: int | None = None,
    end_ms: int | None = None,
) -> CandleUnits:
    """Return the candles that Binance would for these parameters; bounds are inclusive.

    With a start the oldest `limit` candles from there on, without one the latest.
    """
    length = interval_ms(interval)
    earliest = open_time_of(market.listed_at, length)
    forming = open_time_of(now_ms, length)
    last = forming if end_ms is None else min(forming, open_time_of(end_ms, length))
    if start_ms is None:
        first = max(earliest, last - (limit - 1) * length)
    else:
        first = max(earliest, next_open_time(start_ms, length))
        last = min(last, first + (limit - 1) * length)
    if last < first or now_ms < market.listed_at:
        return np.empty(0, CANDLE_UNITS)
    complete = (min(last + length, forming) - first) // length
    rows = market.bars(symbol, interval, first, complete)
    if last < forming:
        return rows
    return np.concatenate([rows, forming_kline(market, symbol, interval, now_ms)])


def forming_kline(market: SimulatedMarket, symbol: str, interval: str, now_ms: int) -> CandleUnits:
    """Return the one candle that is open at `now_ms`, with what has traded until then."""
    length = interval_ms(interval)
    minute = open_time_of(now_ms, MINUTE_MS)
    partial = minute_states(market, symbol, minute, np.array([now_ms]))
    before = before_minute(market, symbol, open_time_of(now_ms, length), minute)
    return join_candles(np.concatenate([before, partial]), length)


def before_minute(
    market: SimulatedMarket, symbol: str, open_time_ms: int, minute_ms: int
) -> CandleUnits:
    """Return a forming candle's whole hours and minutes before the minute `minute_ms`."""
    hour = max(open_time_ms, open_time_of(minute_ms, HOUR_MS))
    hours = market.hours(symbol, open_time_ms, hour)
    return np.concatenate([hours, market.minutes(symbol, hour, minute_ms)])


def minute_states(
    market: SimulatedMarket, symbol: str, minute_ms: int, times_ms: Integers
) -> CandleUnits:
    """Return one minute's candle as it stood at each of the times (at or after its open)."""
    candle = market.minutes(symbol, minute_ms, minute_ms + MINUTE_MS)[0]
    ticks = market.ticks(symbol, minute_ms)
    seen = np.searchsorted(ticks.time_ms, times_ms, side="right") - 1
    bought = np.where(ticks.is_buyer_maker, 0, ticks.quantity)
    states = np.zeros(len(times_ms), CANDLE_UNITS)
    states["timestamp"] = minute_ms
    states["open"] = candle["open"]
    states["high"] = np.maximum.accumulate(ticks.price)[seen]
    states["low"] = np.minimum.accumulate(ticks.price)[seen]
    states["close"] = ticks.price[seen]
    states["volume"] = np.cumsum(ticks.quantity)[seen]
    states["trades"] = np.cumsum(ticks.trades)[seen]
    states["taker_buy_base"] = np.cumsum(bought)[seen]
    prices = ticks.price.astype(np.float64)
    spent: Floats = np.cumsum(prices * ticks.quantity)
    states["quote_volume"] = _share_of(int(candle["quote_volume"]), spent, seen)
    spent_buying: Floats = np.cumsum(prices * bought)
    states["taker_buy_quote"] = _share_of(int(candle["taker_buy_quote"]), spent_buying, seen)
    return states


def _share_of(total: int, running: Floats, seen: Integers) -> Integers:
    """Scale a running sum so that it ends at the candle's exact total."""
    if running[-1] == 0.0:
        return np.zeros(len(seen), np.int64)
    scaled = np.floor(total * (running / running[-1])).astype(np.int64)
    scaled[-1] = total
    picked: Integers = scaled[seen]
    return picked
