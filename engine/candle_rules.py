"""The rules that candles must obey before anything is computed of them. They mend nothing."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.timeframe import bucket_opens, floor_to_timeframe

if TYPE_CHECKING:
    from engine.candles import Candle, CandleSeries

Flags = npt.NDArray[np.bool_]


def find_broken_rule(series: "CandleSeries") -> tuple[str, Flags] | None:
    """Return the first rule that candles break, and which of them do; None where all are sound."""
    time, low, high = series.timestamp, series.low, series.high
    if not len(time):
        return None
    prices = (series.open, high, low, series.close)
    sound = np.isfinite(series.volume)
    for price in prices:
        sound &= np.isfinite(price)
    rules = [
        ("price or volume is not a number", ~sound),
        ("price is not positive", low <= 0),
        ("high is below low", high < low),
        ("open or close lies outside of low..high", _outside(series)),
        ("volume is negative", series.volume < 0),
        ("time is off the grid", bucket_opens(time, series.timeframe) != time),
        ("time appears twice", np.append(False, time[1:] == time[:-1])),
        ("time is out of order", np.append(False, time[1:] < time[:-1])),
    ]
    return next(((rule, broken) for rule, broken in rules if broken.any()), None)


def is_sound(candle: "Candle", timeframe: str) -> bool:
    """Tell what `find_broken_rule` would, for one candle in a tenth of the time."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return (
        all(map(math.isfinite, (*prices, candle.volume)))
        and 0 < candle.low <= min(prices)
        and candle.high >= max(prices)
        and candle.volume >= 0
        and floor_to_timeframe(candle.timestamp, timeframe) == candle.timestamp
    )


def _outside(series: "CandleSeries") -> Flags:
    lower = np.minimum(series.open, series.close) < series.low
    return np.asarray(lower | (np.maximum(series.open, series.close) > series.high))
