"""Numbered SQL files that bring a database to the present schema. No table is named here."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from data.errors import DatabaseMismatch, StoreError
from data.storage.worker import run_in_transaction

APPLICATION_ID: Final = 0x4A455353  # "JESS"; the first migration writes it


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: version `number - 1` becomes version `number`."""

    number: int
    name: str
    sql: str


def load_migrations() -> tuple[Migration, ...]:
    """Read `data/migrations/NNNN_what_it_does.sql`; they are numbered 1, 2, 3 ... without a gap."""
    folder = resources.files("data") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    migrations = tuple(
        Migration(int(name.split("_")[0]), name, (folder / name).read_text(encoding="utf-8"))
        for name in names
    )
    numbers = [migration.number for migration in migrations]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise StoreError(
            f"migrations are missing or numbered wrongly: {', '.join(names) or 'none'}"
        )
    return migrations


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration that was applied, 0 for none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_origin(connection: sqlite3.Connection, newest: int, *, exactly: bool = False) -> None:
    """Refuse a database that this code can't read or, unless `exactly`, bring up to date.

    Raises:
        DatabaseMismatch: of another program, newer than the code, or older when that won't do.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise DatabaseMismatch("this SQLite file isn't Jesse's: move it, or choose another place")
    version = schema_version(connection)
    if version > newest:
        raise DatabaseMismatch(
            f"this database is of a newer Jesse (schema {version}, this one knows {newest}): "
            "update Jesse, or restore a backup made by this version"
        )
    if exactly and version < newest:
        raise DatabaseMismatch(
            f"this database is of an older Jesse (schema {version}, this one needs {newest}): "
            "start Jesse once, it brings the database up to date"
        )


def apply_migrations(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Apply what a database lacks, each migration as one transaction."""
    version = schema_version(connection)
    # A table can be replaced only while nobody enforces the references to it; they are checked
    # before each commit instead.
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        for migration in migrations[version:]:
            _apply(connection, migration)
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    def work(connection: sqlite3.Connection) -> None:
        for statement in _split(migration.sql):
            connection.execute(statement)
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise StoreError(f"{migration.name} leaves {len(broken)} references to nothing")
        connection.execute(f"PRAGMA user_version = {migration.number}")

    run_in_transaction(connection, work)


def _split(sql: str) -> Iterator[str]:
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement  # a comment, or what SQLite will call incomplete
