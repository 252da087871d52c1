"""Pages of candles: cutting ranges into them and checking what came back. Pure functions.

A page that isn't what was asked for (other times, other order) is an error as a whole: such an
answer says nothing about the asked time. A single candle that can't be traded on (high below
low, price not positive) is left out and named, never mended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data.candle_columns import merge
from data.errors import ExchangeUnavailable
from data.orderflow import approximate_volume_delta
from data.parquet_files import month_bounds
from data.ranges import Range, find_holes
from data.venues.base import CandleColumns
from engine.candles import PRICE_COLUMNS, CandleSeries, IntArray, format_time
from engine.errors import InvalidCandles
from engine.timeframe import DAY_MS, MINUTE_MS, bucket_opens, get_timeframe_ms

# Without a later candle in the same answer, a candle counts as final so long after its close:
# an exchange's clock that is a little ahead must not make a forming candle a closed one.
FINAL_AFTER_MS: Final = MINUTE_MS

# Windows longer than this may reach over the end of a month.
_LONG_WINDOW_MS: Final = 7 * DAY_MS

_OUTSIDE_ADVICE: Final = "nothing of it is stored; check EXCHANGE_REST_URL and the exchange"


@dataclass(frozen=True, slots=True)
class Page:
    """The closed candles of one window of open times, and those that had to be left out."""

    window: Range
    candles: CandleSeries
    refused: IntArray
    problem: str | None

    def holes(self) -> list[Range]:
        """Return the ranges of the window for which there was no candle, usable or not."""
        known = len(self.candles) + len(self.refused)
        if known * self.candles.step_ms == self.window[1] - self.window[0]:
            return []
        times = np.union1d(self.candles.timestamp, self.refused)
        return find_holes(times, self.window, self.candles.timeframe)


def cut_windows(ranges: Iterable[Range], timeframe: str, size: int) -> Iterator[Range]:
    """Return windows of at most `size` candles, oldest first.

    Where a month has many windows they end with it, so that the store writes each month once.
    """
    span = size * get_timeframe_ms(timeframe)
    for start, end in ranges:
        while start < end:
            stop = min(start + span, end)
            if span <= _LONG_WINDOW_MS:
                stop = min(stop, month_end(start))
            yield start, stop
            start = stop


def month_end(time_ms: int) -> int:
    """Return the first moment (ms) of the UTC month after the one that holds a time."""
    return month_bounds(str(np.datetime64(time_ms, "ms").astype("datetime64[M]")))[1]


def join_near(ranges: Iterable[Range], distance: int) -> list[Range]:
    """Return ranges with those made one that lie at most `distance` (ms) apart."""
    joined: list[Range] = []
    for start, end in ranges:
        if joined and start - joined[-1][1] <= distance:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def read_page(columns: CandleColumns, window: Range, timeframe: str, *, now: int) -> Page:
    """Return the closed candles of a window (its end no later than `now`, the exchange's time).

    One candle behind the window may come along: it shows that the one before it is final.

    Raises:
        ExchangeUnavailable: the answer isn't for this window; says what came instead.
    """
    _check_times(columns.timestamp, window, timeframe)
    step = get_timeframe_ms(timeframe)
    inside = columns.timestamp < window[1]
    if inside.all() and len(columns) and columns.timestamp[-1] + step + FINAL_AFTER_MS > now:
        inside[-1] = False
    refused = inside & ~_is_sound(columns)
    candles = _series(columns, inside & ~refused, timeframe)
    problem = _describe_refused(columns, refused, timeframe)
    return Page(window, candles, columns.timestamp[refused], problem)


def merge_pages(first: Page, second: Page) -> Page:
    """Return what two answers for one window, or a part of it, hold together."""
    candles = merge(first.candles, second.candles).candles
    refused = np.setdiff1d(np.union1d(first.refused, second.refused), candles.timestamp)
    return Page(first.window, candles, refused, first.problem or second.problem)


def join_candles(
    parts: Iterable[CandleSeries], timeframe: str, *, has_taker_volume: bool
) -> CandleSeries:
    """Return candles of pages, oldest first, as one series; all have a volume delta.

    It is the pages' own with `has_taker_volume`, else each candle's volume in its direction.
    """
    names = ("timestamp", *PRICE_COLUMNS, *(("volume_delta",) if has_taker_volume else ()))
    known = [part for part in parts if len(part)]
    if not known:
        return CandleSeries.empty(timeframe)
    columns = {name: np.concatenate([getattr(part, name) for part in known]) for name in names}
    if not has_taker_volume:
        columns["volume_delta"] = approximate_volume_delta(
            columns["open"], columns["close"], columns["volume"]
        )
    return CandleSeries(timeframe, **columns)


def _check_times(time: IntArray, window: Range, timeframe: str) -> None:
    start, end = window
    last_allowed = end  # the candle that opens at the end shows that the one before is final
    outside = (time < start) | (time > last_allowed)
    rules = [
        (outside, "outside of the asked window"),
        (bucket_opens(time, timeframe) != time, f"off the grid of {timeframe}"),
        (np.append(False, time[1:] <= time[:-1]), "out of order or twice"),
    ]
    for broken, rule in rules:
        if broken.any():
            wrong = int(time[broken.argmax()])
            raise ExchangeUnavailable(
                f"the exchange sent {int(broken.sum())} of {len(time)} candles {rule}, such as"
                f" {_tell(wrong)}, when asked for {format_time(start)} to {format_time(end)}:"
                f" {_OUTSIDE_ADVICE}"
            )


def _tell(time_ms: int) -> str:
    is_date = 0 <= time_ms < 4_102_444_800_000  # 2100
    return f"{time_ms} ({format_time(time_ms)} in ms)" if is_date else str(time_ms)


def _is_sound(columns: CandleColumns) -> npt.NDArray[np.bool_]:
    lower = np.minimum(columns.open, columns.close)
    upper = np.maximum(columns.open, columns.close)
    # A comparison with NaN is False, so NaN is never sound.
    sound = (columns.low > 0) & (columns.low <= lower) & (upper <= columns.high)
    sound &= (columns.volume >= 0) & np.isfinite(columns.volume) & np.isfinite(columns.high)
    if columns.volume_delta is not None:
        sound &= np.isfinite(columns.volume_delta)
    return np.asarray(sound)


def _series(columns: CandleColumns, chosen: npt.NDArray[np.bool_], timeframe: str) -> CandleSeries:
    names = (*PRICE_COLUMNS, *(("volume_delta",) if columns.volume_delta is not None else ()))
    rows = slice(None) if chosen.all() else chosen
    values = {name: getattr(columns, name)[rows] for name in names}
    return CandleSeries(timeframe, columns.timestamp[rows], **values)


def _describe_refused(
    columns: CandleColumns, refused: npt.NDArray[np.bool_], timeframe: str
) -> str | None:
    if not refused.any():
        return None
    try:
        _series(columns, refused, timeframe)
    except InvalidCandles as error:
        return str(error)
    first = format_time(int(columns.timestamp[refused][0]))
    return f"taker volume is not a number in {int(refused.sum())} candles, first at {first}"
