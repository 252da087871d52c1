"""The rules that candles must obey before anything is computed of them. They mend nothing."""

import math

import numpy as np
import numpy.typing as npt

from engine.timeframe import bucket_opens, floor_to_timeframe

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def find_broken_rule(
    timeframe: str, time: npt.NDArray[np.int64], *prices_and_volume: Floats
) -> tuple[str, Flags] | None:
    """Return the first rule that candles break, and which of them do; None where all are sound.

    `time` are open times in ms UTC, then come open, high, low, close and volume.
    """
    if not len(time):
        return None
    open_, high, low, close, volume = prices_and_volume
    sound = np.isfinite(volume)
    for price in (open_, high, low, close):
        sound &= np.isfinite(price)
    outside = np.minimum(open_, close) < low
    outside |= np.maximum(open_, close) > high
    rules = [
        ("price or volume is not a number", ~sound),
        ("price is not positive", low <= 0),
        ("high is below low", high < low),
        ("open or close lies outside of low..high", outside),
        ("volume is negative", volume < 0),
        ("time is off the grid", bucket_opens(time, timeframe) != time),
        ("time appears twice", np.append(False, time[1:] == time[:-1])),
        ("time is out of order", np.append(False, time[1:] < time[:-1])),
    ]
    return next(((rule, broken) for rule, broken in rules if broken.any()), None)


def is_sound(timeframe: str, time: int, *prices_and_volume: float) -> bool:
    """Tell what `find_broken_rule` would, for one candle in a tenth of the time."""
    open_, high, low, close, volume = prices_and_volume
    return (
        all(map(math.isfinite, prices_and_volume))
        and 0 < low <= min(open_, close)
        and low <= high
        and high >= max(open_, close)
        and volume >= 0
        and floor_to_timeframe(time, timeframe) == time
    )
