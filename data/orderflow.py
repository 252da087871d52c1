"""Order flow as columns: open interest without looking ahead, volume delta and its total. Pure."""

from typing import Final

import numpy as np

from engine.candles import FloatArray, IntArray
from engine.columns import running_total

# An open interest with time T is used from T plus this. Binance documents neither whether T
# begins or ends the 5-minute period, nor how long after it the value appears; one period covers
# both. Using it at T could show a strategy what nobody knew yet.
OPEN_INTEREST_DELAY_MS: Final = 5 * 60_000

# An older value than this says nothing about now: the open interest is then unknown.
OPEN_INTEREST_STALE_MS: Final = 60 * 60_000


def align_open_interest(
    close_times: IntArray,
    times: IntArray,
    values: FloatArray,
    *,
    delay_ms: int = OPEN_INTEREST_DELAY_MS,
    stale_ms: int = OPEN_INTEREST_STALE_MS,
) -> FloatArray:
    """Return the open interest known at each candle's close (ms), NaN where none is.

    `times` (ms) are sorted; each value is known from its time + `delay_ms` on, for `stale_ms`.
    """
    known_from = times + delay_ms
    latest = np.searchsorted(known_from, close_times, side="right") - 1
    aligned = np.full(len(close_times), np.nan)
    if not len(times):
        return aligned
    is_known = (latest >= 0) & (close_times - known_from[latest] < stale_ms)
    aligned[is_known] = values[latest[is_known]]
    return aligned


def approximate_volume_delta(open: FloatArray, close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return bought minus sold volume where only candles are known: the candle's direction.

    All of the volume counts as bought if it closed above its open, as sold below, else as none.
    """
    delta: FloatArray = np.sign(close - open) * volume
    return delta


def cumulative_volume_delta(volume_delta: FloatArray) -> FloatArray:
    """Return the running total of a volume delta; unknown values count as nothing."""
    return running_total(volume_delta, 0.0)
