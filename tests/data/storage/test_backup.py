"""Backups: made while the work goes on, whole, one file."""

import sqlite3
from contextlib import closing

import pytest

from data.database import Database
from data.errors import DatabaseMisused, StoreError


async def test_a_backup_holds_what_is_committed_and_opens_as_a_database(
    database, tmp_path, test_id, make_step, read_step
):
    await database.commit_step(make_step(test_id, 1))
    target = tmp_path / "new" / "backup.sqlite3"

    async with database.transaction() as transaction:
        await transaction.commit_step(make_step(test_id, 2))
        await database.backup(target)

    assert await read_step(database, test_id) == 2
    assert [file.name for file in target.parent.iterdir()] == ["backup.sqlite3"]
    async with Database.open(target, read_only=True) as copy:
        assert await read_step(copy, test_id) == 1


async def test_a_backup_replaces_the_one_before(database, tmp_path):
    target = tmp_path / "backup.sqlite3"
    await database.backup(target)
    await database.set_setting("a", 1)
    await database.backup(str(target))

    async with Database.open(target) as copy:
        assert await copy.get_setting("a") == 1


async def test_a_backup_that_fails_leaves_the_one_before(database, tmp_path, monkeypatch):
    target = tmp_path / "folder" / "backup.sqlite3"
    await database.backup(target)
    before = target.read_bytes()
    await database.set_setting("a", 1)
    monkeypatch.setattr("data.storage.files._find_damage", lambda connection: "page 7 is wrong")

    with pytest.raises(StoreError, match=r"backup .* is damaged \(page 7 is wrong\)"):
        await database.backup(target)

    assert target.read_bytes() == before
    assert [file.name for file in target.parent.iterdir()] == ["backup.sqlite3"]


async def test_a_place_that_can_not_be_written_is_a_clear_error(database, tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreError, match="can't be used"):
        await database.backup(tmp_path / "file" / "backup.sqlite3")


async def test_the_database_is_not_its_own_backup(database, path):
    with pytest.raises(DatabaseMisused, match="is the database itself"):
        await database.backup(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"


async def test_a_read_only_database_can_be_backed_up(database, path, tmp_path):
    await database.set_setting("a", 1)

    async with Database.open(path, read_only=True) as reading:
        await reading.backup(tmp_path / "backup.sqlite3")

    async with Database.open(tmp_path / "backup.sqlite3") as copy:
        assert await copy.get_setting("a") == 1
