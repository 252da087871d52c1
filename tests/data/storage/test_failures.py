"""SQLite's and the system's errors in Jesse's words."""

import errno
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

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
from data.storage.failures import explained

PATH = Path("var") / "jesse.sqlite3"


def sqlite_error(name, kind=sqlite3.OperationalError):
    error = kind("what SQLite says")
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_FULL", DatabaseFull),
        ("SQLITE_BUSY", DatabaseLocked),
        ("SQLITE_BUSY_RECOVERY", DatabaseLocked),
        ("SQLITE_LOCKED", DatabaseLocked),
        ("SQLITE_CORRUPT", DatabaseCorrupted),
        ("SQLITE_CORRUPT_INDEX", DatabaseCorrupted),
        ("SQLITE_NOTADB", DatabaseCorrupted),
        ("SQLITE_READONLY", DatabaseNotWritable),
        ("SQLITE_READONLY_DIRECTORY", DatabaseNotWritable),
        ("SQLITE_CANTOPEN", DatabaseNotWritable),
        ("SQLITE_IOERR_WRITE", StoreError),
        ("SQLITE_IOERR_FSYNC", StoreError),
    ],
)
def test_errors_of_sqlite_become_errors_of_the_store(name, expected):
    with pytest.raises(StoreError, match=r"jesse\.sqlite3") as caught, explained(PATH):
        raise sqlite_error(name)

    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_CONSTRAINT_UNIQUE", RecordConflict),
        ("SQLITE_CONSTRAINT_PRIMARYKEY", RecordConflict),
        ("SQLITE_CONSTRAINT_FOREIGNKEY", UnknownRecord),
        ("SQLITE_CONSTRAINT_CHECK", UnstorableValue),
        ("SQLITE_CONSTRAINT_NOTNULL", UnstorableValue),
    ],
)
def test_broken_rules_of_the_schema_are_told_apart(name, expected):
    with pytest.raises(expected), explained(PATH):
        raise sqlite_error(name, sqlite3.IntegrityError)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DatabaseFull),
        (errno.EDQUOT, DatabaseFull),
        (errno.EACCES, DatabaseNotWritable),
        (errno.EROFS, DatabaseNotWritable),
        (errno.ENOLCK, StoreError),
    ],
)
def test_errors_of_the_system_become_errors_of_the_store(number, expected):
    with pytest.raises(StoreError) as caught, explained(PATH):
        raise OSError(number, "what the system says")

    assert type(caught.value) is expected


@pytest.mark.parametrize(("free_bytes", "expected"), [(0, DatabaseFull), (10**9, StoreError)])
def test_a_disk_that_fails_for_lack_of_space_is_called_full(monkeypatch, free_bytes, expected):
    usage = SimpleNamespace(free=free_bytes)
    monkeypatch.setattr("data.storage.failures.shutil.disk_usage", lambda folder: usage)

    with pytest.raises(StoreError) as caught, explained(PATH):
        raise sqlite_error("SQLITE_IOERR_SHMSIZE")

    assert type(caught.value) is expected


def test_a_bug_in_sql_is_not_dressed_up():
    with pytest.raises(sqlite3.OperationalError, match="no such table"), explained(PATH):
        sqlite3.connect(":memory:").execute("SELECT * FROM nowhere")
