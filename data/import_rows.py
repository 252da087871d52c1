"""Turning the raw columns of one imported file into candles, or saying which row is at fault.

Rows are counted from 1 without the header. Nothing is mended: rows are put in order, and exact
repetitions are dropped and counted; everything else that is wrong rejects the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data.errors import InvalidImport
from data.import_columns import TAKER_COLUMN, RawCandles
from data.import_times import format_micros, read_times
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries, FloatArray, IntArray
from engine.errors import InvalidCandles
from engine.timeframe import TIMEFRAMES, bucket_opens, get_timeframe_ms

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """The sound candles of one file, and what was noticed while reading it."""

    candles: CandleSeries
    volume_delta_source: str
    duplicates: int
    was_reordered: bool


@dataclass(frozen=True, slots=True)
class _Rows:
    micros: IntArray
    numbers: dict[str, FloatArray]
    row: IntArray  # the row in the file of each, from 1


def build_candles(raw: RawCandles, timeframe: str) -> ImportedFile:
    """Return a file's rows as candles of a timeframe, oldest first.

    Raises:
        InvalidImport: names the first row at fault and the rule it breaks.
    """
    if not len(raw.time):
        raise InvalidImport("the file has a header but no rows")
    micros = read_times(raw.time)
    _check_values(raw.numbers)
    rows, was_reordered = _in_order(micros, raw.numbers)
    _check_spacing(rows.micros, timeframe)
    _check_grid(rows, timeframe)
    unique = _without_repetitions(rows)
    delta, source = _volume_delta(unique.numbers)
    columns: dict[str, Any] = {name: unique.numbers[name] for name in PRICE_COLUMNS}
    columns |= {"open_interest": unique.numbers.get("open_interest"), "volume_delta": delta}
    try:
        candles = CandleSeries(timeframe, unique.micros // 1000, **columns)
    except InvalidCandles as error:
        raise InvalidImport(str(error)) from error
    duplicates = len(rows.micros) - len(unique.micros)
    return ImportedFile(candles, source, duplicates, was_reordered)


def _check_values(numbers: dict[str, FloatArray]) -> None:
    for rule, broken in _broken_rules(numbers):
        if broken.any():
            count = int(broken.sum())
            more = f" (and {count - 1} more)" if count > 1 else ""
            raise InvalidImport(f"row {int(broken.argmax()) + 1}{more}: {rule}")


def _broken_rules(numbers: dict[str, FloatArray]) -> Iterator[tuple[str, BoolArray]]:
    for name in PRICE_COLUMNS:
        yield f"{name} is missing or not a finite number", ~np.isfinite(numbers[name])
    open_, high, low, close, volume = (numbers[name] for name in PRICE_COLUMNS)
    for name in ("open", "high", "low", "close"):
        yield f"{name} is not positive", numbers[name] <= 0
    yield "high is below low", high < low
    yield "open lies outside of low..high", (open_ < low) | (open_ > high)
    yield "close lies outside of low..high", (close < low) | (close > high)
    yield "volume is negative", volume < 0
    for name in FLOW_COLUMNS:
        if name in numbers:
            yield f"{name} is infinite", np.isinf(numbers[name])
    if TAKER_COLUMN in numbers:
        taker = numbers[TAKER_COLUMN]
        yield "taker buy volume lies outside of 0..volume", ~((taker >= 0) & (taker <= volume))


def _in_order(micros: IntArray, numbers: dict[str, FloatArray]) -> tuple[_Rows, bool]:
    row = np.arange(1, len(micros) + 1)
    if (micros[1:] >= micros[:-1]).all():
        return _Rows(micros, numbers, row), False
    order = np.argsort(micros, kind="stable")
    return _take(_Rows(micros, numbers, row), order), True


def _take(rows: _Rows, which: npt.NDArray[np.integer] | BoolArray) -> _Rows:
    numbers = {name: column[which] for name, column in rows.numbers.items()}
    return _Rows(rows.micros[which], numbers, rows.row[which])


def _check_spacing(micros: IntArray, timeframe: str) -> None:
    distances = np.diff(micros)
    distances, counts = np.unique(distances[distances > 0], return_counts=True)
    if not len(distances):
        return
    # Exchanges leave candles out, so single distances say little and the usual one a lot.
    usual = int(distances[counts.argmax()])
    if usual == get_timeframe_ms(timeframe) * 1000:
        return
    names = {get_timeframe_ms(name) * 1000: name for name in TIMEFRAMES}
    if usual in names:
        advice = f"rows are {names[usual]} apart: import them as {names[usual]}"
    else:
        advice = f"rows are {usual / 1e6:g} seconds apart, which no timeframe is"
    raise InvalidImport(f"these are no candles of {timeframe}: {advice}")


def _check_grid(rows: _Rows, timeframe: str) -> None:
    opens = bucket_opens(rows.micros // 1000, timeframe) * 1000
    off_grid = rows.micros != opens
    if off_grid.any():
        first = int(rows.row[off_grid].min())
        time = format_micros(int(rows.micros[rows.row == first][0]))
        raise InvalidImport(
            f"row {first}: {time} is not the open time of a {timeframe} candle"
            f" ({int(off_grid.sum())} of {len(opens)} rows are off the grid)"
        )


def _without_repetitions(rows: _Rows) -> _Rows:
    repeats = np.append(False, rows.micros[1:] == rows.micros[:-1])
    if not repeats.any():
        return rows
    second = np.flatnonzero(repeats)
    differs = np.zeros(len(second), dtype=np.bool_)
    for column in rows.numbers.values():
        one, other = column[second - 1], column[second]
        differs |= (one != other) & ~(np.isnan(one) & np.isnan(other))
    if differs.any():
        place = int(second[differs.argmax()])
        raise InvalidImport(
            f"rows {rows.row[place - 1]} and {rows.row[place]} give different candles"
            f" for {format_micros(int(rows.micros[place]))}"
        )
    return _take(rows, ~repeats)


def _volume_delta(numbers: dict[str, FloatArray]) -> tuple[FloatArray, str]:
    volume = numbers["volume"]
    if TAKER_COLUMN in numbers:
        return 2 * numbers[TAKER_COLUMN] - volume, "taker"
    given = numbers.get("volume_delta")
    if given is not None and not np.isnan(given).all():
        return given, "taker"
    return volume * np.sign(numbers["close"] - numbers["open"]), "approximated"
