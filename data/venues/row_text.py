"""Rows of numbers that stay JSON text until they become columns. No sockets, no meaning.

Making an object of each number takes several times as long as reading the columns from the text.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.arrow_columns import to_numpy

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
    start, stop = found + len(before), text.rfind("]]") + 2
    envelope = holder = decode(f"{text[:start]}null{text[stop:]}")
    for step in way:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or holder.get(name, ...) is not None:
        return None
    holder[name] = RowText(text[start:stop])
    return envelope


def _read(text: str, fields: Sequence[int]) -> list[npt.NDArray[Any]] | None:
    content = text.encode()
    bounds = _bounds(content)
    if bounds is None or max(fields) >= bounds.shape[1]:
        return None
    pieces = np.ascontiguousarray(bounds[:, fields], np.int32)
    letters = np.frombuffer(content, np.uint8)
    opened = letters[pieces[..., 0]] == ord('"')
    closed = letters[pieces[..., 1] - 1] == ord('"')
    pieces[..., 0] += opened
    pieces[..., 1] -= closed
    # A lone quote both opens and closes: Arrow would follow its negative length anywhere.
    if (opened != closed).any() or (pieces[..., 0] > pieces[..., 1]).any():
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


def _bounds(content: bytes) -> npt.NDArray[np.int64] | None:
    """Return where each field of each row begins and ends; None if it isn't rows of one length."""
    letters = np.frombuffer(content, np.uint8)
    if not (content.startswith(b"[[") and content.endswith(b"]]")):
        return None
    width = content.count(b",", 0, content.find(b"]")) + 1
    commas = np.flatnonzero(letters == ord(","))
    rows, rest = divmod(len(commas) + 1, width)
    between = commas[width - 1 :: width]
    brackets = (np.count_nonzero(letters == ord(bracket)) for bracket in "[]")
    is_table = (
        not rest
        and all(count == rows + 1 for count in brackets)
        and (letters[between - 1] == ord("]")).all()
        and (letters[between + 1] == ord("[")).all()
    )
    if not is_table:
        return None
    flat = np.empty((rows * width, 2), np.int64)
    flat[1:, 0], flat[:-1, 1] = commas + 1, commas
    flat[0, 0], flat[-1, 1] = 1, len(content) - 1
    bounds = flat.reshape(rows, width, 2)
    bounds[:, 0, 0] += 1
    bounds[:, -1, 1] -= 1
    return bounds


def _strings(content: bytes, pieces: npt.NDArray[np.int32]) -> pa.Array:
    """Return the pieces of a text as strings, field by field."""
    rows, fields, _ = pieces.shape
    # Arrow's strings follow each other: what lies between two pieces is a string that isn't taken.
    every = pa.StringArray.from_buffers(
        pieces.size - 1, pa.py_buffer(pieces), pa.py_buffer(content)
    )
    places = 2 * np.arange(rows * fields).reshape(rows, fields).T.ravel()
    return every.take(pa.array(places))
