"""Rows of numbers that stay JSON text until they become columns. No sockets, no meaning.

Making an object of each number takes several times as long as reading the columns from the text.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.arrow_columns import to_arrow, to_numpy
from engine.candles import IntArray

_Offsets: TypeAlias = npt.NDArray[np.int32]
_AFTER_ZERO: Final = frozenset(b'.eE,]"')
_ENVELOPE_CHARACTERS: Final = 500  # rows begin within so many


@dataclass(frozen=True, slots=True)
class RowText:
    """The text of a JSON array of rows, such as [[1,"2"],[3,"4"]]."""

    text: str

    def decode(self) -> Any:
        """Return the rows as objects; raises ValueError where the text is no JSON."""
        return json.loads(self.text)

    def columns(self, fields: Sequence[int]) -> list[npt.NDArray[Any]] | None:
        """Return fields (ascending): whole numbers of the first one, floats of the others.

        None where only decoding can tell what the text holds.
        """
        return _read(self.text, fields)


def decode_answer(text: str, rows_at: tuple[str, ...] | None, decode: Callable[[str], Any]) -> Any:
    """Return a decoded answer in which the rows, if it has any, are a RowText.

    `rows_at` names the way to them: () is the answer itself, None nowhere.
    """
    if rows_at is None:
        return decode(text)
    if not rows_at:
        return RowText(text) if text.startswith("[[") else decode(text)
    return _decode_envelope(text, rows_at, decode) or decode(text)


def _decode_envelope(text: str, rows_at: tuple[str, ...], decode: Callable[[str], Any]) -> Any:
    *way, name = rows_at
    before = f'"{name}":'
    found = text.find(f"{before}[[", 0, _ENVELOPE_CHARACTERS)
    if found < 0:
        return None
    start, stop = found + len(before), text.find("]]", found) + 2
    try:
        envelope = holder = decode(f"{text[:start]}null{text[stop:]}")
    except ValueError:
        return None  # the rows aren't flat, or the text is damaged
    for step in way:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or holder.get(name, ...) is not None:
        return None
    holder[name] = RowText(text[start:stop])
    return envelope


def _read(text: str, fields: Sequence[int]) -> list[npt.NDArray[Any]] | None:
    content = text.encode()
    commas = _commas_of_table(content)
    if commas is None or max(fields) >= commas.shape[1]:
        return None
    pieces = _pieces(content, commas, fields)
    if pieces is None:
        return None
    strings = _strings(content, pieces)
    rows = len(pieces)
    try:
        times = strings.slice(0, rows).cast(pa.int64())
        numbers = strings.slice(rows).cast(pa.float64())
    except pa.ArrowException:
        return None
    floats = to_numpy(pa.chunked_array([numbers])).reshape(-1, rows)
    return [to_numpy(pa.chunked_array([times])), *floats]


def _commas_of_table(content: bytes) -> IntArray | None:
    """Return where the comma behind each field of each row is; None if it isn't such rows.

    The last bracket stands for the comma that isn't there.
    """
    if not (content.startswith(b"[[") and content.endswith(b"]]")):
        return None
    letters = np.frombuffer(content, np.uint8)
    width = content.count(b",", 0, content.find(b"]")) + 1
    commas = np.append(np.flatnonzero(letters == ord(",")), len(content) - 1)
    rows, rest = divmod(len(commas), width)
    between = commas[width - 1 : -1 : width]
    brackets = (np.count_nonzero(letters == ord(bracket)) for bracket in "[]")
    is_table = (
        not rest
        and all(count == rows + 1 for count in brackets)
        and (letters.take(between - 1) == ord("]")).all()
        and (letters.take(between + 1) == ord("[")).all()
    )
    return commas.reshape(rows, width) if is_table else None


def _pieces(content: bytes, commas: IntArray, fields: Sequence[int]) -> _Offsets | None:
    """Return where the numbers of some fields begin and end; None if only decoding can tell.

    Quotes are looked at in every field: a comma inside of a text would move those behind it.
    """
    starts = np.append(0, commas.ravel()[:-1]).reshape(commas.shape) + 1
    ends = commas.copy()
    starts[:, 0] += 1
    ends[:, -1] -= 1
    quotes = np.frombuffer(content, np.uint8) == ord('"')
    opened, closed = quotes.take(starts), quotes.take(ends - 1)
    is_sound = (
        np.array_equal(opened, closed)
        and np.count_nonzero(quotes) == 2 * np.count_nonzero(opened)
        and b"\\" not in content
    )
    starts += opened
    ends -= closed
    # A lone quote both opens and closes: Arrow would follow its negative length anywhere.
    if not (is_sound and (starts <= ends).all()):
        return None
    bare = [field for field in fields if not opened[:, field].all()]
    if not _are_json(content, starts[:, bare], ends[:, bare]):
        return None
    return _offsets([(starts[:, field], ends[:, field]) for field in fields])


def _are_json(content: bytes, starts: IntArray, ends: IntArray) -> bool:
    """Tell whether no number is written as Arrow reads it and JSON forbids: +1 .5 1. 01 0x1 inf."""
    letters = np.frombuffer(content, np.uint8)
    firsts = starts + (letters.take(starts) == ord("-"))
    first, last = letters.take(firsts), letters.take(ends - 1)
    after_zero = letters.take(firsts[first == ord("0")] + 1).tolist()
    has_exponent = b"e" in content or b"E" in content
    return bool(
        _are_digits(first).all()
        and _are_digits(last).all()
        and _AFTER_ZERO.issuperset(after_zero)
        and not (has_exponent and (b".e" in content or b".E" in content))
    )


def _offsets(pieces: Sequence[tuple[IntArray, IntArray]]) -> _Offsets:
    """Return beginnings and ends, a pair for each field, as Arrow numbers them: row by row."""
    offsets = np.empty((len(pieces[0][0]), len(pieces), 2), np.int32)
    for place, (starts, ends) in enumerate(pieces):
        offsets[:, place, 0] = starts
        offsets[:, place, 1] = ends
    return offsets


def _are_digits(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return letters - np.uint8(ord("0")) < 10


def _strings(content: bytes, pieces: _Offsets) -> pa.Array:
    """Return the pieces of a text as strings, field by field."""
    rows, fields, _ = pieces.shape
    # Arrow's strings follow each other: what lies between two pieces is a string that isn't taken.
    buffers = pa.py_buffer(pieces), pa.py_buffer(content)
    every = pa.StringArray.from_buffers(pieces.size - 1, *buffers)
    places = 2 * np.arange(rows * fields).reshape(rows, fields).T.ravel()
    return every.take(to_arrow(places, pa.int64()))
