"""The schema: numbered migrations, each whole or not at all, and the golden dump."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data.database import Database
from data.errors import DatabaseMismatch, StoreError
from data.storage.migrations import (
    APPLICATION_ID,
    Migration,
    apply_migrations,
    load_migrations,
    schema_version,
)
from data.storage.worker import connect

GOLDEN_SCHEMA = Path(__file__).parent / "schema.sql"


@pytest.fixture
def connection(tmp_path):
    with closing(connect(tmp_path / "a.sqlite3", mode="rwc", timeout_ms=50)) as connection:
        yield connection


def dump_schema(connection):
    rows = connection.execute(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
        "ORDER BY type, name"
    )
    return "".join(f"{row['sql']};\n\n" for row in rows)


def table_names(connection):
    return {row["name"] for row in connection.execute("SELECT name FROM sqlite_schema")}


def test_an_empty_database_comes_to_the_golden_schema(connection):
    migrations = load_migrations()

    apply_migrations(connection, migrations)

    assert schema_version(connection) == len(migrations)
    assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert dump_schema(connection) == GOLDEN_SCHEMA.read_text(encoding="utf-8"), (
        "the schema has changed: if that is meant, write the new dump to schema.sql"
    )


def test_every_table_checks_its_types(connection):
    apply_migrations(connection, load_migrations())

    tables = connection.execute("PRAGMA table_list").fetchall()
    lax = [
        table["name"]
        for table in tables
        if table["schema"] == "main" and not table["strict"] and "sqlite_" not in table["name"]
    ]
    assert lax == []


def test_only_what_is_missing_is_applied(connection):
    first = Migration(1, "0001_a.sql", "CREATE TABLE a (x);")
    second = Migration(2, "0002_b.sql", "-- a comment; with a semicolon\nCREATE TABLE b (x);\n")
    apply_migrations(connection, [first])

    apply_migrations(connection, [first, second])
    apply_migrations(connection, [first, second])

    assert table_names(connection) == {"a", "b"}
    assert schema_version(connection) == 2


def test_a_migration_that_fails_leaves_nothing_and_can_be_repeated(connection):
    good = Migration(1, "0001_a.sql", "CREATE TABLE a (x);")
    bad = Migration(2, "0002_b.sql", "CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);")

    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        apply_migrations(connection, [good, bad])
    assert table_names(connection) == {"a"}
    assert schema_version(connection) == 1
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1

    apply_migrations(connection, [good, Migration(2, "0002_b.sql", "CREATE TABLE b (x);")])
    assert table_names(connection) == {"a", "b"}


def test_a_migration_may_replace_a_table_but_not_break_references(connection):
    tables = Migration(
        1,
        "0001_a.sql",
        "CREATE TABLE a (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE b (a_id INTEGER REFERENCES a (id));\n"
        "INSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);",
    )
    replaced = Migration(
        2,
        "0002_a.sql",
        "CREATE TABLE a2 (id INTEGER PRIMARY KEY, name TEXT);\n"
        "INSERT INTO a2 (id) SELECT id FROM a;\n"
        "DROP TABLE a;\nALTER TABLE a2 RENAME TO a;",
    )
    emptied = Migration(3, "0003_a.sql", "DELETE FROM a;")

    with pytest.raises(StoreError, match=r"0003_a\.sql leaves 1 references"):
        apply_migrations(connection, [tables, replaced, emptied])

    assert schema_version(connection) == 2
    assert connection.execute("SELECT id, name FROM a").fetchone()[:] == (1, None)
    assert connection.execute("SELECT a_id FROM b").fetchone()[0] == 1


@pytest.mark.parametrize("names", [[], ["0002_b.sql"], ["0001_a.sql", "0003_c.sql"]])
def test_migrations_are_numbered_without_a_gap(tmp_path, monkeypatch, names):
    (tmp_path / "migrations").mkdir()
    for name in names:
        (tmp_path / "migrations" / name).write_text("CREATE TABLE a (x);")
    monkeypatch.setattr("data.storage.migrations.resources.files", lambda package: tmp_path)

    with pytest.raises(StoreError, match="missing or numbered wrongly"):
        load_migrations()


def test_what_waits_in_an_outbox_of_the_first_schema_waits_still(connection):
    first, *later = load_migrations()
    apply_migrations(connection, [first])
    connection.execute(
        "INSERT INTO outbox (dedupe_key, kind, channel, payload, created_at, next_attempt_at)"
        " VALUES ('k', 'note', 'test', '{}', 1, 1)"
    )

    apply_migrations(connection, [first, *later])

    row = connection.execute("SELECT * FROM outbox").fetchone()
    assert (row["dedupe_key"], row["sent_at"], row["muted_at"]) == ("k", None, None)


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(path):
    async with Database.open(path):
        pass
    newer = len(load_migrations()) + 1
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    before = path.read_bytes()

    with pytest.raises(DatabaseMismatch, match=rf"newer Jesse \(schema {newer}.*update Jesse"):
        async with Database.open(path):
            pass

    assert path.read_bytes() == before


async def test_a_database_of_another_program_is_refused_and_left_alone(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()

    with pytest.raises(DatabaseMismatch, match="isn't Jesse's"):
        async with Database.open(path):
            pass

    assert path.read_bytes() == before


async def test_an_older_database_is_read_only_after_it_was_brought_up_to_date(path):
    async with Database.open(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")

    with pytest.raises(DatabaseMismatch, match="older Jesse"):
        async with Database.open(path, read_only=True):
            pass
