import shutil
from datetime import UTC, datetime

import pytest

from bot.services.scheduled.backups import back_up, backups_in
from data.database import Database
from data.errors import StoreError

DAY_MS = 86_400_000
NOW = int(datetime(2024, 3, 10, 3, 17, tzinfo=UTC).timestamp() * 1000)


class Empty:
    """A database that copies itself as an empty file, or can't."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def backup(self, path):
        if self.error is not None:
            raise self.error
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


async def test_a_backup_restores_what_was_stored(database, settings, tmp_path):
    folder = settings.data_dir / "backups"
    await database.set_setting("answer", 42)
    text = await back_up(database, folder, keep_days=7, now=NOW)
    await database.set_setting("answer", 43)
    [path] = backups_in(folder)
    assert path.name == "jesse-20240310T031700Z.db"
    assert text.startswith("jesse-20240310T031700Z.db (0.")
    restored = tmp_path / "restored" / "jesse.db"
    restored.parent.mkdir()
    shutil.copy(path, restored)
    async with Database.open(restored) as opened:
        assert await opened.get_setting("answer") == 42


async def test_backups_are_kept_for_the_days_that_were_asked_for(tmp_path):
    for day in range(12):
        await back_up(Empty(), tmp_path, keep_days=7, now=NOW + day * DAY_MS)
    names = [path.name[6:14] for path in backups_in(tmp_path)]
    assert names == [f"202403{day}" for day in range(14, 22)]


async def test_files_of_other_names_are_never_deleted(tmp_path):
    for name in ("mine.db", "jesse-before-the-upgrade.db", "jesse-20200101T000000Z.db"):
        (tmp_path / name).write_bytes(b"x")
    text = await back_up(Empty(), tmp_path, keep_days=7, now=NOW)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mine.db", "jesse-before-the-upgrade.db", "jesse-20240310T031700Z.db"
    }  # fmt: skip
    assert "1 deleted, 1 kept" in text


async def test_a_backup_that_fails_deletes_no_older_one(tmp_path):
    database = Empty()
    await back_up(database, tmp_path, keep_days=1, now=NOW - 30 * DAY_MS)
    database.error = StoreError("no space")
    with pytest.raises(StoreError):
        await back_up(database, tmp_path, keep_days=1, now=NOW)
    assert len(backups_in(tmp_path)) == 1


def test_no_folder_holds_no_backups(tmp_path):
    assert backups_in(tmp_path / "nowhere") == []
