"""The aggregated trades within one minute, made to fit that minute's candle exactly.

The first trade stands at the candle's open time and its price, the last at the close; one
touches the high, one the low; quantities and trade counts add up to the candle's. Only the
quote amounts of single trades do not add up to the candle's quote volume to the last unit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.simulator.noise import Integers, Noise
from data.simulator.path import MINUTE_MS
from data.simulator.symbols import SymbolSpec

_MOST_TICKS = 120
IDS_PER_MINUTE = 100_000


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Hold the aggregated trades of one minute as columns, in order of time.

    Prices and quantities are whole units; `trades` is the number of trades behind each row.
    """

    time_ms: Integers
    price: Integers
    quantity: Integers
    trades: Integers
    is_buyer_maker: NDArray[np.bool_]


def first_trade_id(open_time_ms: int) -> int:
    """Return the id of a minute's first trade; ids rise with time but skip some each minute."""
    return open_time_ms // MINUTE_MS * IDS_PER_MINUTE


def minute_ticks(noise: Noise, spec: SymbolSpec, candle: np.void) -> TickColumns:
    """Return the aggregated trades of one 1m candle."""
    open_time = int(candle["timestamp"])
    random = noise.generator("ticks", open_time)
    trades, volume = int(candle["trades"]), int(candle["volume"])
    count = int(np.clip(trades // 6, 6, _MOST_TICKS))
    count = min(count, trades, volume)
    buys = int(candle["taker_buy_base"])
    is_sell = _sides(random, count, buys, volume)
    quantity = np.empty(count, np.int64)
    quantity[is_sell] = _split(random, volume - buys, int(is_sell.sum()))
    quantity[~is_sell] = _split(random, buys, count - int(is_sell.sum()))
    times = np.sort(random.integers(0, MINUTE_MS, count))
    times[0] = 0
    return TickColumns(
        time_ms=open_time + times,
        price=_prices(random, count, candle, spec.tick_units),
        quantity=quantity,
        trades=_split(random, trades, count),
        is_buyer_maker=is_sell,
    )


def _sides(random: np.random.Generator, count: int, buys: int, volume: int) -> NDArray[np.bool_]:
    """Mark the trades whose taker sold, so many that each side's quantity fits."""
    sells = volume - buys
    least = max(count - sells, 1 if buys else 0)
    most = min(buys, count - 1 if sells else count)
    bought = int(np.clip(round(count * buys / volume), least, most))
    is_sell = np.ones(count, np.bool_)
    is_sell[random.permutation(count)[:bought]] = False
    return is_sell


def _split(random: np.random.Generator, total: int, parts: int) -> Integers:
    """Split a whole number into so many parts of at least one."""
    if parts == 0:
        return np.empty(0, np.int64)
    weights = random.standard_exponential(parts) ** 1.5
    shares: Integers = np.floor(np.cumsum(weights) / weights.sum() * (total - parts)).astype(
        np.int64
    )
    shares[-1] = total - parts
    return np.diff(shares, prepend=0) + 1


def _prices(random: np.random.Generator, count: int, candle: np.void, tick_units: int) -> Integers:
    """Walk from open to close through both extremes, in price units."""
    first, last = int(candle["open"]) // tick_units, int(candle["close"]) // tick_units
    high, low = int(candle["high"]) // tick_units, int(candle["low"]) // tick_units
    turns = np.sort(random.choice(np.arange(1, count - 1), 2, replace=False))
    # a rising minute mostly dips first
    dips_first = random.random() < (0.75 if last >= first else 0.25)
    levels = (first, low, high, last) if dips_first else (first, high, low, last)
    corners = np.array([0, turns[0], turns[1], count - 1])
    line = np.interp(np.arange(count), corners, levels)
    wiggle = random.standard_normal(count) * (high - low) * 0.08
    prices: Integers = np.clip(np.rint(line + wiggle), low, high).astype(np.int64)
    prices[corners] = levels
    return prices * tick_units
