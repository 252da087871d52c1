"""SQLite's and the system's errors in Jesse's words. Knows no table."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from data.errors import (
    DatabaseCorrupted,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNotWritable,
    RecordConflict,
    StoreError,
    UnknownRecord,
    UnstorableValue,
)

_PRIMARY_CODE: Final = 0xFF  # extended codes keep the general one in their lowest byte
_UNIQUE_CODES: Final = frozenset(
    {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
)
_LITTLE_SPACE_BYTES: Final = 64 * 1024
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_PERMISSION: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise a `StoreError` for what SQLite or the system finds wrong with the file at `path`."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise _explain_constraint(error) from error
    except sqlite3.Error as error:
        explanation = _explain_sqlite(error, path)
        if explanation is None:
            raise  # a bug in Jesse's own SQL, not the user's trouble
        raise explanation from error
    except OSError as error:
        raise _explain_system(error, path) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether SQLite says that the file itself is broken."""
    code = _code_of(error) & _PRIMARY_CODE
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code_of(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _explain_constraint(error: sqlite3.IntegrityError) -> StoreError:
    code = _code_of(error)
    if code in _UNIQUE_CODES:
        return RecordConflict(f"already stored: {error}")
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return UnknownRecord("refers to a forward test that isn't stored")
    return UnstorableValue(f"not a value that can be stored: {error}")


def _explain_sqlite(error: sqlite3.Error, path: Path) -> StoreError | None:
    if is_damage(error):
        return DatabaseCorrupted(
            f"{path} is damaged ({error}): stop Jesse and start it again, it then says what to do"
        )
    match _code_of(error) & _PRIMARY_CODE:
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseLocked(f"{path} is locked by another program: end it, then try again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _not_writable(path, str(error))
        case sqlite3.SQLITE_IOERR:
            if _has_no_space(path):  # not every file of SQLite says so by itself
                return _full(path)
            return StoreError(f"the disk failed at {path} ({error.sqlite_errorname}): check it")
    return None


def _explain_system(error: OSError, path: Path) -> StoreError:
    if error.errno in _NO_SPACE:
        return _full(path)
    if error.errno in _NO_PERMISSION:
        return _not_writable(path, error.strerror)
    return StoreError(f"{path} can't be used: {error}")


def _has_no_space(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _LITTLE_SPACE_BYTES
    except OSError:
        return False


def _full(path: Path) -> DatabaseFull:
    return DatabaseFull(f"no space left for {path}: free some; nothing was half written")


def _not_writable(path: Path, detail: str | None) -> DatabaseNotWritable:
    return DatabaseNotWritable(
        f"{path} can't be opened or written ({detail}): allow this user to write to "
        f"{path.parent}, or choose another DATA_DIR"
    )
