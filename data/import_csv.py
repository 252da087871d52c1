"""Reading the text of a CSV file as raw columns: fast where it is sound, exact where it isn't."""

import re
from dataclasses import dataclass
from typing import Final, NoReturn

import pyarrow as pa
import pyarrow.csv as pa_csv

from data.arrow_columns import to_numpy
from data.errors import InvalidImport
from data.import_columns import (
    BINANCE_FIELDS,
    UNKNOWN_TEXTS,
    RawCandles,
    choose_columns,
    is_number,
    parse_numbers,
)

_DELIMITERS: Final = (",", ";", "\t", "|")
_BROKEN_ROW: Final = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True, slots=True)
class _Layout:
    delimiter: str
    has_header: bool
    fields: int
    places: dict[str, int]


def read_csv(content: bytes) -> RawCandles:
    """Return the columns of CSV text with a header, or of Binance's 12 columns without one.

    Raises:
        InvalidImport: a missing column, rows of different lengths, text where a number should be.
    """
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    layout = _find_layout(content)
    try:
        table = _parse(content, layout, pa.float64(), in_parallel=True)
        numbers = {name: to_numpy(table.column(name)) for name in table.column_names[1:]}
    except pa.ArrowInvalid:
        # Something isn't a number: read once more as text, to say in which row.
        table = _parse_texts(content, layout)
        numbers = {name: parse_numbers(table.column(name), name) for name in table.column_names[1:]}
    return RawCandles(table.column("timestamp"), numbers)


def _find_layout(content: bytes) -> _Layout:
    try:
        first_line = content.partition(b"\n")[0].decode().strip()
    except UnicodeDecodeError:
        raise InvalidImport("unknown format: the text is not UTF-8") from None
    delimiter = max(_DELIMITERS, key=first_line.count)
    fields = [field.strip().strip("\"'") for field in first_line.split(delimiter)]
    has_header = not is_number(fields[0])
    if not has_header and len(fields) != len(BINANCE_FIELDS):
        raise InvalidImport(
            f"no header: put timestamp,open,high,low,close,volume above the {len(fields)} columns"
        )
    names = fields if has_header else BINANCE_FIELDS
    return _Layout(delimiter, has_header, len(fields), choose_columns(names))


def _parse(content: bytes, layout: _Layout, kind: pa.DataType, *, in_parallel: bool) -> pa.Table:
    names = [f"column {place}" for place in range(layout.fields)]
    for name, place in layout.places.items():
        names[place] = name
    types = dict.fromkeys(layout.places, kind) | {"timestamp": pa.string()}
    return pa_csv.read_csv(
        pa.BufferReader(content),
        read_options=pa_csv.ReadOptions(
            column_names=names, skip_rows=int(layout.has_header), use_threads=in_parallel
        ),
        parse_options=pa_csv.ParseOptions(delimiter=layout.delimiter),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            include_columns=list(layout.places),
            null_values=list(UNKNOWN_TEXTS),
            strings_can_be_null=True,
        ),
    )


def _parse_texts(content: bytes, layout: _Layout) -> pa.Table:
    try:
        return _parse(content, layout, pa.string(), in_parallel=False)
    except pa.ArrowInvalid as error:
        _explain_broken_row(error, layout)


def _explain_broken_row(error: pa.ArrowInvalid, layout: _Layout) -> NoReturn:
    match = _BROKEN_ROW.search(str(error))
    if match is None:
        raise InvalidImport(f"the CSV can't be read: {str(error).splitlines()[0]}") from error
    row = int(match[1]) - int(layout.has_header)
    raise InvalidImport(f"row {row} has {match[3]} fields instead of {match[2]}") from error
