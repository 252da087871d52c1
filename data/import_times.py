"""Reading the time column of an imported file: epoch numbers, ISO-8601, datetimes. No I/O."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.arrow_columns import to_numpy
from data.errors import InvalidImport
from engine.candles import IntArray

# A moment between these years has a different number of digits in each unit.
_FIRST_SECOND: Final = 631_152_000  # 1990
_LAST_SECOND: Final = 4_102_444_800  # 2100
_UNITS: Final[Mapping[str, int]] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read_times(column: pa.ChunkedArray) -> IntArray:
    """Return a time column in microseconds UTC; text without an offset is UTC.

    Numbers are seconds, ms, us or ns by their size, the same in all rows.

    Raises:
        InvalidImport: names the first row whose time is missing, unreadable or implausible.
    """
    kind = column.type
    if column.null_count:
        row = next(i for i, valid in enumerate(_validity(column), start=1) if not valid)
        raise InvalidImport(f"row {row}: the time is missing")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_texts(column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _check_years(_from_datetimes(column))
    if pa.types.is_integer(kind):
        return _from_numbers(to_numpy(column.cast(pa.int64())))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_numbers(to_numpy(column.cast(pa.float64())))
    raise InvalidImport(f"the time column holds {kind}: give epoch numbers, ISO-8601 or datetimes")


def format_micros(micros: int) -> str:
    """Return a time in microseconds as ISO-8601 UTC, with a fraction only where it has one."""
    try:
        time = datetime.fromtimestamp(micros // 10**6, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{micros} microseconds"
    return time.replace(microsecond=micros % 10**6).isoformat().replace("+00:00", "Z")


def _from_texts(column: pa.ChunkedArray) -> IntArray:
    for kind in (pa.int64(), pa.float64()):
        try:
            numbers = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return _from_numbers(to_numpy(numbers))
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            times = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return _check_years(_from_datetimes(times))
    texts = [text.strip() for text in column.to_pylist()]
    if texts != column.to_pylist():
        return _from_texts(pa.chunked_array([texts]))
    micros = [_parse_iso(text, row) for row, text in enumerate(texts, start=1)]
    return _check_years(np.array(micros, dtype=np.int64))


def _parse_iso(text: str, row: int) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidImport(
            f"row {row}: {text!r} is no time: give epoch numbers or ISO-8601, alike in all rows"
        ) from None
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _from_datetimes(column: pa.ChunkedArray) -> IntArray:
    zone = getattr(column.type, "tz", None)
    micros = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    return np.asarray(to_numpy(micros), dtype=np.int64)


def _from_numbers(numbers: npt.NDArray[Any]) -> IntArray:
    if numbers.dtype.kind == "f" and np.isnan(numbers).any():
        raise InvalidImport(f"row {int(np.isnan(numbers).argmax()) + 1}: the time is missing")
    unit = _unit_of(numbers[0])
    if unit is None:
        raise InvalidImport(
            f"row 1: the time {numbers[0]} is no moment of 1990 to 2100 in s, ms, us or ns"
        )
    alike = _is_in_unit(numbers, unit)
    if not alike.all():
        place = int(alike.argmin())
        other = _unit_of(numbers[place])
        meaning = f"in {other}" if other else "no moment of 1990 to 2100"
        raise InvalidImport(
            f"row {place + 1}: the time {numbers[place]} is {meaning}, row 1 is in {unit}"
        )
    scale = _UNITS[unit]
    if numbers.dtype.kind == "f":
        return np.rint(numbers * (10**6 / scale)).astype(np.int64)
    return np.asarray(numbers * (10**6 // scale) if scale <= 10**6 else numbers // 1000)


def _unit_of(number: int | float) -> str | None:
    return next((unit for unit in _UNITS if _is_in_unit(np.asarray(number), unit)), None)


def _is_in_unit(numbers: npt.NDArray[Any], unit: str) -> npt.NDArray[np.bool_]:
    scale = _UNITS[unit]
    return np.asarray((numbers >= _FIRST_SECOND * scale) & (numbers < _LAST_SECOND * scale))


def _check_years(micros: IntArray) -> IntArray:
    plausible = _is_in_unit(micros, "us")
    if not plausible.all():
        place = int(plausible.argmin())
        raise InvalidImport(
            f"row {place + 1}: {format_micros(int(micros[place]))} is not in 1990 to 2100:"
            " were seconds and milliseconds confused when the file was written?"
        )
    return micros


def _validity(column: pa.ChunkedArray) -> list[bool]:
    return [value.is_valid for value in column]
