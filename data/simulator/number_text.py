"""Columns of whole numbers as rows of text, all rows at once.

What the columns mean is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from data.simulator.noise import Integers

_LIMB = 10_000  # digits are looked up four at a time
_LIMB_DIGITS = 4


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Hold numbers of at least 0 in units of 10^-decimals, shown in quotes or bare."""

    units: Integers
    decimals: int = 0
    is_quoted: bool = True


def rows_json(columns: Sequence[NumberColumn], *, last: str) -> str:
    """Return a JSON array with an array for each row: its numbers, then `last`."""
    count = len(columns[0].units)
    if not count:
        return "[]"
    least = 1 + max(column.decimals for column in columns)
    digits = _digits(np.stack([column.units for column in columns]), least)
    wholes = [column.units // 10**column.decimals for column in columns]
    widths = [len(str(int(whole.max()))) for whole in wholes]
    pieces = [_blank(column, width) for column, width in zip(columns, widths, strict=True)]
    row = f"[{','.join(pieces)},{last}],".encode()
    table = np.frombuffer(bytearray(row * count), np.uint8).reshape(count, len(row))
    place = 1
    for column, whole, width, piece, text in zip(
        columns, wholes, widths, pieces, digits, strict=True
    ):
        _fill(table, place + column.is_quoted, text, width=width, decimals=column.decimals)
        _hide_leading_zeros(table, place + column.is_quoted, whole, width=width)
        place += len(piece) + 1
    text_of_rows = table.tobytes().translate(None, delete=b"\0").decode("ascii")
    return f"[{text_of_rows[:-1]}]"


def _blank(column: NumberColumn, width: int) -> str:
    number = "0" * width + ("." + "0" * column.decimals if column.decimals else "")
    return f'"{number}"' if column.is_quoted else number


def _digits(units: Integers, least: int) -> NDArray[np.uint8]:
    """Return all digits of numbers in two dimensions, at least so many, along a third."""
    limbs = -(-max(least, len(str(int(units.max())))) // _LIMB_DIGITS)
    text = np.empty((*units.shape, limbs), np.uint32)
    table = _four_digits()
    rest = units
    for limb in reversed(range(1, limbs)):
        higher = rest // _LIMB
        text[..., limb] = table[rest - higher * _LIMB]
        rest = higher
    text[..., 0] = table[rest]
    return text.view(np.uint8)


@cache
def _four_digits() -> NDArray[np.uint32]:
    text = "".join(f"{number:04d}" for number in range(_LIMB))
    return np.frombuffer(text.encode(), np.uint32)


def _fill(
    table: NDArray[np.uint8], place: int, text: NDArray[np.uint8], *, width: int, decimals: int
) -> None:
    point = text.shape[1] - decimals
    _copy(table, place, text, point - width, width=width)
    if decimals:
        _copy(table, place + width + 1, text, point, width=decimals)


def _copy(
    target: NDArray[np.uint8], at: int, source: NDArray[np.uint8], start: int, *, width: int
) -> None:
    # As one item a row, which NumPy moves several times as fast as its single bytes.
    block = np.dtype((np.void, width))
    to = np.ndarray(len(target), block, target, at, target.strides[:1])
    to[:] = np.ndarray(len(source), block, source, start, source.strides[:1])


def _hide_leading_zeros(
    table: NDArray[np.uint8], place: int, whole: Integers, *, width: int
) -> None:
    shortest = len(str(int(whole.min())))
    for power in range(shortest, width):
        table[:, place + width - 1 - power] *= whole >= 10**power
