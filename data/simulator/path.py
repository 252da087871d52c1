"""The price process: daily levels within eras, and the minutes of one day.

A log price is built in two scales that join without jumps. An era (384 days) runs between two
anchors around the symbol's base price; a day runs between two levels of its era. Both are
bridges over steps whose volatility clusters. No cache, no candles of other lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.simulator.noise import Floats, Integers, Noise, bridge
from data.simulator.symbols import SymbolSpec

DAY_MS = 86_400_000
MINUTE_MS = 60_000
MINUTES_PER_DAY = 1440
ERA_DAYS = 384

# One candle in whole units: prices in 10^-price_decimals, quantities in 10^-quantity_decimals,
# quote amounts in 10^-(both). Integers make sums, aggregation and text exact.
CANDLE_UNITS = np.dtype(
    [
        ("timestamp", np.int64),
        ("open", np.int64),
        ("high", np.int64),
        ("low", np.int64),
        ("close", np.int64),
        ("volume", np.int64),
        ("quote_volume", np.int64),
        ("trades", np.int64),
        ("taker_buy_base", np.int64),
        ("taker_buy_quote", np.int64),
    ]
)
CandleUnits = NDArray[np.void]

_ANCHOR_SPREAD = 0.28  # log units; keeps the price within a plausible range over years
_ANCHOR_LIMIT = 0.5
_FREE_RANGE = 0.75  # log units around the base price in which the path is left alone
_LAST_RANGE = 0.35  # how much further it can ever get
_TREND_SHARE = 0.13  # drift of a trending day, in typical daily moves
_FAT_TAIL_FREEDOM = 4.0
_LEAST_VOLUME = 12  # quantity units; every minute has room for its trades
_TRADE_USD = 2_600.0


@dataclass(frozen=True, slots=True)
class Era:
    """Hold an era's log prices at midnight (one more than it has days) and daily volatility."""

    levels: Floats
    volatility: Floats


def daily_volatility(spec: SymbolSpec) -> float:
    """Return the typical standard deviation of a day's log return."""
    return spec.annual_volatility / float(np.sqrt(365.0))


def era_levels(noise: Noise, spec: SymbolSpec, era: int) -> Era:
    """Return the midnights of one era as log prices relative to one USDT."""
    days = era * ERA_DAYS + np.arange(ERA_DAYS, dtype=np.float64)
    log_volatility = (
        0.30 * noise.lattice("volatility-season", days / 45.0)
        + 0.30 * noise.lattice("volatility-week", days / 7.0)
        + 0.18 * noise.nodes("volatility-day", era * ERA_DAYS, ERA_DAYS)
    )
    typical = daily_volatility(spec)
    volatility = typical * np.exp(log_volatility - 0.12)
    shocks = noise.generator("days", era).standard_t(_FAT_TAIL_FREEDOM + 1.0, ERA_DAYS)
    trend = _TREND_SHARE * typical * noise.lattice("trend", days / 14.0)
    steps = trend + volatility * shocks / np.sqrt((_FAT_TAIL_FREEDOM + 1.0) / 3.0)
    anchors = np.clip(_ANCHOR_SPREAD * noise.nodes("anchor", era, 2), -_ANCHOR_LIMIT, _ANCHOR_LIMIT)
    path = bridge(float(anchors[0]), float(anchors[1]), steps, volatility**2)
    return Era(np.log(spec.base_price) + _reined_in(path), volatility)


def _reined_in(path: Floats) -> Floats:
    """Bend what strays beyond the free range back towards it, smoothly."""
    beyond = np.maximum(np.abs(path) - _FREE_RANGE, 0.0)
    inside = np.clip(path, -_FREE_RANGE, _FREE_RANGE)
    reined: Floats = inside + np.sign(path) * _LAST_RANGE * np.tanh(beyond / _LAST_RANGE)
    return reined


def day_minutes(noise: Noise, spec: SymbolSpec, era: Era, day: int) -> CandleUnits:
    """Return the 1440 one-minute candles of one UTC day (days since 1970) in whole units."""
    index = day % ERA_DAYS
    random = noise.generator("minutes", day)
    activity = _activity(noise, day)
    volatility = np.exp(activity)
    volatility *= era.volatility[index] / np.sqrt(np.sum(volatility**2))
    shocks = random.standard_t(_FAT_TAIL_FREEDOM, MINUTES_PER_DAY) / np.sqrt(2.0)
    start, end = float(era.levels[index]), float(era.levels[index + 1])
    path = bridge(start, end, volatility * shocks, volatility**2)
    candles = np.zeros(MINUTES_PER_DAY, CANDLE_UNITS)
    candles["timestamp"] = day * DAY_MS + np.arange(MINUTES_PER_DAY) * MINUTE_MS
    _fill_prices(candles, path, volatility, spec, random)
    _fill_volumes(candles, activity, np.diff(path) / volatility, spec, era, index, random)
    return candles


def _activity(noise: Noise, day: int) -> Floats:
    """Return the log of how busy each minute is: the hours of the day, bursts, and noise."""
    minute = np.arange(MINUTES_PER_DAY, dtype=np.float64)
    absolute = day * MINUTES_PER_DAY + minute
    hours = 2.0 * np.pi * minute / MINUTES_PER_DAY
    cycle = 0.28 * np.cos(hours - 2.0 * np.pi * 15.0 / 24.0) + 0.10 * np.cos(
        2.0 * hours - 4.0 * np.pi * 14.5 / 24.0
    )
    bursts = 0.32 * noise.lattice("activity-hours", absolute / 130.0)
    bursts += 0.30 * noise.lattice("activity-minutes", absolute / 14.0)
    activity: Floats = cycle + bursts
    return activity


def _fill_prices(
    candles: CandleUnits,
    path: Floats,
    volatility: Floats,
    spec: SymbolSpec,
    random: np.random.Generator,
) -> None:
    ticks_per_usd = spec.price_scale / spec.tick_units
    closes = np.maximum(np.rint(np.exp(path) * ticks_per_usd), 2.0).astype(np.int64)
    # the first trade of a minute lands on the last price, or one tick beside it
    dice = random.integers(0, 8, MINUTES_PER_DAY)
    opens = closes[:-1] + (dice == 1).astype(np.int64) - (dice == 2)
    closes = closes[1:]
    # the exact law of a Brownian bridge's extremes, so that wicks fit the volatility
    uniforms = 1.0 - random.random((2, MINUTES_PER_DAY))
    reach = -2.0 * (0.75 * volatility) ** 2 * np.log(uniforms)
    move = path[1:] - path[:-1]
    spans = np.sqrt(move**2 + reach)
    middle = path[1:] + path[:-1]
    highs = np.rint(np.exp((middle + spans[0]) / 2.0) * ticks_per_usd).astype(np.int64)
    lows = np.rint(np.exp((middle - spans[1]) / 2.0) * ticks_per_usd).astype(np.int64)
    candles["open"] = opens * spec.tick_units
    candles["close"] = closes * spec.tick_units
    candles["high"] = np.maximum(highs, np.maximum(opens, closes)) * spec.tick_units
    lowest = np.maximum(np.minimum(lows, np.minimum(opens, closes)), 1)
    candles["low"] = lowest * spec.tick_units


def _fill_volumes(
    candles: CandleUnits,
    activity: Floats,
    moves: Floats,
    spec: SymbolSpec,
    era: Era,
    index: int,
    random: np.random.Generator,
) -> None:
    normals = random.standard_normal((3, MINUTES_PER_DAY))
    busy_day = np.log(era.volatility[index] / daily_volatility(spec))
    log_volume = 1.2 * activity + 0.9 * busy_day + 0.45 * normals[0]
    log_volume += 0.35 * np.minimum(np.abs(moves), 6.0) - 0.55
    turnover = spec.minute_volume_usd * np.exp(log_volume)
    price = candles["close"] / spec.price_scale
    volume = np.rint(turnover / price * spec.quantity_scale).astype(np.int64) + _LEAST_VOLUME
    bought = np.clip(0.5 + 0.09 * np.clip(moves, -3.0, 3.0) + 0.08 * normals[1], 0.0, 1.0)
    candles["volume"] = volume
    candles["taker_buy_base"] = np.floor(volume * bought).astype(np.int64)
    mean_price = _mean_price(candles)
    candles["quote_volume"] = volume * mean_price
    candles["taker_buy_quote"] = candles["taker_buy_base"] * mean_price
    trades = np.rint((turnover / _TRADE_USD) ** 0.85 * np.exp(0.15 * normals[2])).astype(np.int64)
    candles["trades"] = np.clip(trades, 8, 40_000)


def _mean_price(candles: CandleUnits) -> Integers:
    total = candles["open"] + candles["high"] + candles["low"] + candles["close"]
    mean: Integers = total // 4
    return mean
