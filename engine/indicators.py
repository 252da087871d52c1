"""Indicators: causal array functions, TA-Lib's wherever it has one.

Each value depends on its own and earlier inputs only: `f(x)[:k] == f(x[:k])`. Values are NaN until
there are enough candles. `inputs` names the columns that `data[...].indicator(...)` hands over.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engine.ta_lib import talib

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])

__all__ = [
    "adx",
    "all_of",
    "any_of",
    "atr",
    "bollinger_bands",
    "cci",
    "crossed",
    "crossed_above",
    "crossed_below",
    "ema",
    "highest",
    "lowest",
    "macd",
    "mfi",
    "momentum",
    "obv",
    "rsi",
    "sma",
    "standard_deviation",
    "stochastic",
    "williams_r",
    "wma",
]


def _reads(*columns: str) -> Callable[[Function], Function]:
    def mark(function: Function) -> Function:
        function.inputs = columns  # type: ignore[attr-defined]
        function.gives_new_arrays = True  # type: ignore[attr-defined]
        return function

    return mark


@_reads("close")
def sma(values: Array, period: int) -> Array:
    """Return the simple moving average over `period` values."""
    return _call(talib.SMA, values, timeperiod=period)


@_reads("close")
def ema(values: Array, period: int) -> Array:
    """Return the exponential moving average, seeded with the simple average."""
    return _call(talib.EMA, values, timeperiod=period)


@_reads("close")
def wma(values: Array, period: int) -> Array:
    """Return the linearly weighted moving average."""
    return _call(talib.WMA, values, timeperiod=period)


@_reads("close")
def rsi(values: Array, period: int = 14) -> Array:
    """Return Wilder's relative strength index, 0 to 100."""
    return _call(talib.RSI, values, timeperiod=period)


@_reads("close")
def momentum(values: Array, period: int = 10) -> Array:
    """Return the change against `period` values ago, in price units."""
    return _call(talib.MOM, values, timeperiod=period)


@_reads("close")
def standard_deviation(values: Array, period: int = 20) -> Array:
    """Return the population standard deviation over `period` values."""
    return _call(talib.STDDEV, values, timeperiod=period)


@_reads("close")
def bollinger_bands(
    values: Array, period: int = 20, deviations: float = 2.0
) -> tuple[Array, Array, Array]:
    """Return upper band, middle and lower band."""
    upper, middle, lower = _call_many(
        3, talib.BBANDS, values, timeperiod=period, nbdevup=deviations, nbdevdn=deviations
    )
    return upper, middle, lower


@_reads("close")
def macd(
    values: Array, fast_period: int = 12, slow_period: int = 26, signal_period: int = 9
) -> tuple[Array, Array, Array]:
    """Return the MACD line, its signal line and their difference."""
    line, signal, histogram = _call_many(
        3,
        talib.MACD,
        values,
        fastperiod=fast_period,
        slowperiod=slow_period,
        signalperiod=signal_period,
    )
    return line, signal, histogram


@_reads("high", "low", "close")
def atr(high: Array, low: Array, close: Array, period: int = 14) -> Array:
    """Return Wilder's average true range, in price units."""
    return _call(talib.ATR, high, low, close, timeperiod=period)


@_reads("high", "low", "close")
def adx(high: Array, low: Array, close: Array, period: int = 14) -> Array:
    """Return the average directional index, 0 to 100."""
    return _call(talib.ADX, high, low, close, timeperiod=period)


@_reads("high", "low", "close")
def cci(high: Array, low: Array, close: Array, period: int = 20) -> Array:
    """Return the commodity channel index."""
    return _call(talib.CCI, high, low, close, timeperiod=period)


@_reads("high", "low", "close")
def williams_r(high: Array, low: Array, close: Array, period: int = 14) -> Array:
    """Return Williams' %R, -100 to 0."""
    return _call(talib.WILLR, high, low, close, timeperiod=period)


@_reads("high", "low", "close")
def stochastic(
    high: Array, low: Array, close: Array, fast_period: int = 14, slow_period: int = 3
) -> tuple[Array, Array]:
    """Return the slow stochastic %K and %D, 0 to 100."""
    slow_k, slow_d = _call_many(
        2,
        talib.STOCH,
        high,
        low,
        close,
        fastk_period=fast_period,
        slowk_period=slow_period,
        slowd_period=slow_period,
    )
    return slow_k, slow_d


@_reads("high", "low", "close", "volume")
def mfi(high: Array, low: Array, close: Array, volume: Array, period: int = 14) -> Array:
    """Return the money flow index, 0 to 100."""
    return _call(talib.MFI, high, low, close, volume, timeperiod=period)


@_reads("close", "volume")
def obv(close: Array, volume: Array) -> Array:
    """Return on-balance volume, a running total in the base asset."""
    return _call(talib.OBV, close, volume)


@_reads("high")
def highest(values: Array, period: int) -> Array:
    """Return the highest of the last `period` values, the latest included."""
    return _call(talib.MAX, values, timeperiod=period)


@_reads("low")
def lowest(values: Array, period: int) -> Array:
    """Return the lowest of the last `period` values, the latest included."""
    return _call(talib.MIN, values, timeperiod=period)


def crossed_above(first: npt.ArrayLike, second: npt.ArrayLike) -> Flags:
    """Return where `first` came from at or below `second` to above it; False at NaN."""
    above, below = _compare(first, second)
    return _turned(below, above)


def crossed_below(first: npt.ArrayLike, second: npt.ArrayLike) -> Flags:
    """Return where `first` came from at or above `second` to below it; False at NaN."""
    return crossed_above(second, first)


def crossed(first: npt.ArrayLike, second: npt.ArrayLike) -> Flags:
    """Return where `first` crossed `second` in either direction."""
    return crossed_above(first, second) | crossed_below(first, second)


def any_of(*conditions: npt.ArrayLike) -> Flags:
    """Return where at least one of some conditions holds."""
    found: Flags = np.logical_or.reduce([np.asarray(condition) for condition in conditions])
    return found


def all_of(*conditions: npt.ArrayLike) -> Flags:
    """Return where every one of some conditions holds."""
    found: Flags = np.logical_and.reduce([np.asarray(condition) for condition in conditions])
    return found


def _compare(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Flags, Flags]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return a > b, a <= b


def _turned(before: Flags, after: Flags) -> Flags:
    turned = np.zeros(after.shape, dtype=np.bool_)
    turned[1:] = after[1:] & before[:-1]
    return turned


def _call(function: Callable[..., Any], *columns: Array, **options: Any) -> Array:
    if not len(columns[0]):
        return np.empty(0)
    values: Array = function(*columns, **options)
    return values


def _call_many(
    count: int, function: Callable[..., Any], *columns: Array, **options: Any
) -> tuple[Array, ...]:
    if not len(columns[0]):
        return (np.empty(0),) * count
    return tuple(function(*columns, **options))
