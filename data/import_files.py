"""Reading files for import: CSV (plain, .gz, .zip) and Parquet, as raw columns.

Only the shape of files is known here; whether rows are sound candles is judged by
`data.import_rows`.
"""

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.arrow_columns import to_numpy
from data.errors import InvalidImport
from data.import_columns import RawCandles, choose_columns, parse_numbers
from data.import_csv import read_csv
from engine.candles import FloatArray


def read_candle_file(path: Path) -> RawCandles:
    """Return the columns of a CSV or Parquet file, packed or not.

    Raises:
        InvalidImport: missing, empty or damaged file, unknown format, missing column, no number.
    """
    content = _unpack(_read(path))
    if not content.strip():
        raise InvalidImport("the file is empty")
    if content[:4] == b"PAR1":
        return _read_parquet(content)
    if b"\0" in content[:4096] or content.lstrip()[:1] in (b"{", b"[", b"<"):
        raise InvalidImport("unknown format: give CSV (also .gz or .zip) or Parquet")
    return read_csv(content)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidImport("there is no such file") from None
    except IsADirectoryError:
        raise InvalidImport("it is a folder: name the files in it") from None
    except OSError as error:
        raise InvalidImport(f"it can't be read: {error.strerror or error}") from error


def _unpack(content: bytes) -> bytes:
    try:
        if content[:2] == b"\x1f\x8b":
            return gzip.decompress(content)
        if content[:2] == b"PK":
            return _unzip(content)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidImport(f"the archive is damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, an unknown compression
        raise InvalidImport(f"the archive can't be opened: {error}") from error
    return content


def _unzip(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise InvalidImport(
                f"the archive holds {len(names)} CSV files: give one that holds one"
            )
        return archive.read(names[0])


def _read_parquet(content: bytes) -> RawCandles:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
        places = choose_columns(names)
        table = file.read(columns=[names[place] for place in places.values()])
        columns = {name: table.column(names[place]) for name, place in places.items()}
        time = columns.pop("timestamp")
        numbers = {name: _to_numbers(column, name) for name, column in columns.items()}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InvalidImport(f"the Parquet file is damaged or unfit: {reason[:200]}") from error
    return RawCandles(time, numbers)


def _to_numbers(column: pa.ChunkedArray, name: str) -> FloatArray:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return parse_numbers(column, name)
    try:
        return to_numpy(column.cast(pa.float64()))
    except pa.ArrowException as error:
        raise InvalidImport(f"column {name} holds {column.type}, which are no numbers") from error
