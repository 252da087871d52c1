"""What the columns of an imported file mean and how their numbers are written. No I/O."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from data.errors import InvalidImport
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, FloatArray

TAKER_COLUMN: Final = "taker_buy_base"

# The fields of Binance's public kline files, which have no header on the spot market.
BINANCE_FIELDS: Final = (
    *("timestamp", *PRICE_COLUMNS, "close_time", "quote_volume", "count"),
    *(TAKER_COLUMN, "taker_buy_quote", "ignore"),
)

# What files write where a number is not known.
UNKNOWN_TEXTS: Final = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A")

_TIME_NAMES: Final = ("timestamp", "open_time")
_TAKER_NAME: Final = re.compile(r"taker_buy_volume|taker_buy_base.*|taker_base_vol.*")
_OFTEN_MEANT: Final = {
    "timestamp": ("time", "date", "datetime", "unix", "ts"),
    "volume": ("vol", "base_volume", "amount"),
}


@dataclass(frozen=True, slots=True)
class RawCandles:
    """The columns of one file in its own order: times as found, numbers as float64.

    `numbers` holds prices and volume, and those of open_interest, volume_delta and `TAKER_COLUMN`
    (taker buy volume in the base asset) that the file has. Missing values are NaN.
    """

    time: pa.ChunkedArray
    numbers: dict[str, FloatArray]


def choose_columns(names: Sequence[str]) -> dict[str, int]:
    """Return the places of the columns that matter in a file's list of names.

    Raises:
        InvalidImport: one is missing (says which names come near) or appears twice.
    """
    found = [_meaning_of(name.strip().lower().replace(" ", "_")) for name in names]
    for needed in ("timestamp", *PRICE_COLUMNS):
        if needed not in found:
            raise InvalidImport(_explain_missing(needed, names))
    chosen = ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS, TAKER_COLUMN)
    for name in chosen:
        if found.count(name) > 1:
            raise InvalidImport(f"column {name} appears {found.count(name)} times: keep one")
    return {name: found.index(name) for name in chosen if name in found}


def parse_numbers(column: pa.ChunkedArray, name: str) -> FloatArray:
    """Return a column of texts as numbers, NaN where they say that there is none.

    Raises:
        InvalidImport: names the first row whose text is something else.
    """
    numbers = np.full(len(column), np.nan)
    for index, text in enumerate(column.to_pylist()):
        if text is None or text.strip() in UNKNOWN_TEXTS:
            continue
        if not is_number(text):
            raise InvalidImport(f"row {index + 1}: {name} is {text!r}, which is not a number")
        numbers[index] = float(text)
    return numbers


def is_number(text: str) -> bool:
    """Tell whether a text is a number, written as files write them."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's digit groups are no numbers in a file


def _meaning_of(name: str) -> str:
    if name in _TIME_NAMES:
        return "timestamp"
    return TAKER_COLUMN if _TAKER_NAME.fullmatch(name) else name


def _explain_missing(needed: str, names: Sequence[str]) -> str:
    lowered = [name.strip().lower() for name in names]
    near = difflib.get_close_matches(needed, lowered, n=2, cutoff=0.5)
    near += [name for name in lowered if name in _OFTEN_MEANT.get(needed, ()) and name not in near]
    hint = f"nearest: {', '.join(near)}; rename it" if near else "name it in the header"
    return f"no column {needed} among {', '.join(names)[:200]} ({hint})"
