"""The database as files: making it, checking it, setting a damaged one aside, copying it.

The caller holds the process lock. Everything here blocks: run it on a thread.
"""

import glob
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from data.errors import DatabaseCorrupted, DatabaseMisused, StoreError
from data.storage.failures import is_damage
from data.storage.migrations import apply_migrations, check_origin, load_migrations, schema_version
from data.storage.worker import begin, connect, roll_back

_OLDEST_SQLITE: Final = (3, 37)  # STRICT tables
_SIDE_SUFFIXES: Final = ("-wal", "-shm")


def prepare(path: Path, *, now: int, busy_timeout_ms: int) -> None:
    """Leave a sound database of the present schema at `path`; `now` (ms) names what is set aside.

    Raises:
        DatabaseCorrupted: the file was damaged and is set aside; or it was, and none is back yet.
        DatabaseMismatch: of a newer Jesse or of another program; it is left as it is.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _require_sound(path, now, busy_timeout_ms)
        _migrate(path, busy_timeout_ms)
    else:
        _require_nothing_lost(path)
        _create(path, busy_timeout_ms)


def check_readable(path: Path, *, busy_timeout_ms: int) -> None:
    """Refuse a database that can't be read as it is; nothing is changed."""
    if not path.exists():
        raise StoreError(f"there is no database at {path}: start Jesse once, or set DATA_DIR")
    with closing(connect(path, mode="ro", timeout_ms=busy_timeout_ms)) as connection:
        check_origin(connection, len(load_migrations()), exactly=True)


def back_up(path: Path, target: Path, *, busy_timeout_ms: int) -> None:
    """Copy the database, as last committed, to a file of its own; an older copy is replaced.

    Raises:
        DatabaseCorrupted: the copy is damaged; it is deleted, and the older one stays.
    """
    if target.exists() and target.samefile(path):
        raise DatabaseMisused(f"{target} is the database itself: choose another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    _delete_with_sides(unfinished)
    try:
        _copy(path, unfinished, busy_timeout_ms)
        os.replace(unfinished, target)
    finally:
        _delete_with_sides(unfinished)
    _sync(target.parent)


def _copy(path: Path, target: Path, busy_timeout_ms: int) -> None:
    with (
        closing(connect(path, mode="ro", timeout_ms=busy_timeout_ms)) as source,
        closing(connect(target, mode="rwc", timeout_ms=busy_timeout_ms)) as copy,
    ):
        source.backup(copy)  # in one go: beside a writer, a copy in parts would start anew
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole without its -wal
        damage = _find_damage(copy)
    if damage is not None:
        raise DatabaseCorrupted(f"the backup of {path} is damaged ({damage}): check the disk")
    _sync(target)


def _create(path: Path, busy_timeout_ms: int) -> None:
    # Made under another name: a database that is there is a whole one, also after a crash.
    unfinished = path.with_name(f".{path.name}.new")
    _delete_with_sides(unfinished)
    try:
        with closing(connect(unfinished, mode="rwc", timeout_ms=busy_timeout_ms)) as connection:
            apply_migrations(connection, load_migrations())
            connection.execute("PRAGMA journal_mode = WAL")
        os.replace(unfinished, path)
    finally:
        _delete_with_sides(unfinished)
    _sync(path.parent)


def _migrate(path: Path, busy_timeout_ms: int) -> None:
    with closing(connect(path, mode="rw", timeout_ms=busy_timeout_ms)) as connection:
        migrations = load_migrations()
        check_origin(connection, len(migrations))
        connection.execute("PRAGMA journal_mode = WAL")  # a restored backup comes without
        apply_migrations(connection, migrations)
        _require_writable(connection)


def _require_writable(connection: sqlite3.Connection) -> None:
    # Found out now, not at the first trade. Only a change makes SQLite look.
    begin(connection)
    try:
        connection.execute(f"PRAGMA user_version = {schema_version(connection)}")
    finally:
        roll_back(connection)


def _require_sound(path: Path, now: int, busy_timeout_ms: int) -> None:
    damage = _find_damage_in(path, busy_timeout_ms)
    if damage is None:
        return
    aside = _set_aside(path, now)
    raise DatabaseCorrupted(
        f"{path} is damaged ({damage}) and was moved to {aside}. {_how_to_go_on(path, aside)}"
    )


def _require_nothing_lost(path: Path) -> None:
    # A supervisor starts a stopped program again and again: without this check, the second start
    # after a damage would begin with an empty database.
    aside = _find_set_aside(path)
    if aside is not None:
        raise DatabaseCorrupted(
            f"{path} was damaged and lies at {aside}. {_how_to_go_on(path, aside)}"
        )
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise DatabaseCorrupted(
            f"{path} is gone but its {log.name} is there: put the file back, "
            f"or move {log.name} away to go on without what it holds"
        )


def _how_to_go_on(path: Path, aside: Path) -> str:
    return (
        f"Copy a backup to {path} and start again; "
        f"to start with an empty database, move {aside.name} to another folder"
    )


def _find_damage_in(path: Path, busy_timeout_ms: int) -> str | None:
    if path.stat().st_size == 0:
        return "it is empty"
    # Opened for reading only: the last writer to close would write the log into the damaged file.
    try:
        with closing(connect(path, mode="ro", timeout_ms=busy_timeout_ms)) as connection:
            return _find_damage(connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise


def _find_damage(connection: sqlite3.Connection) -> str | None:
    findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    return None if findings == ["ok"] else "; ".join(findings)


def _set_aside(path: Path, now: int) -> Path:
    stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.corrupted-{stamp}")
    number = 2
    while aside.exists():
        aside = path.with_name(f"{path.name}.corrupted-{stamp}-{number}")
        number += 1
    # The log goes first: left behind by a crash, it would be applied to a restored backup.
    for suffix in (*_SIDE_SUFFIXES, ""):
        with suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), aside.with_name(aside.name + suffix))
    _sync(path.parent)
    return aside


def _find_set_aside(path: Path) -> Path | None:
    pattern = f"{glob.escape(path.name)}.corrupted-*"
    found = [one for one in path.parent.glob(pattern) if not one.name.endswith(_SIDE_SUFFIXES)]
    return max(found, default=None)


def _delete_with_sides(path: Path) -> None:
    for suffix in ("", "-journal", *_SIDE_SUFFIXES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        return  # a system that can't open a folder, and needs not: its renames are durable
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
