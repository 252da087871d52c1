"""A damaged file: set aside, never replaced by an empty one, and the way back."""

import random
import shutil

import pytest

from data.database import Database
from data.errors import DatabaseCorrupted

PAGE_BYTES = 4096


def overwrite(path, offset, content):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def noise_in_the_middle(path):
    middle = path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES
    overwrite(path, middle, random.Random(1).randbytes(8 * PAGE_BYTES))


def noise_over_the_header(path):
    overwrite(path, 0, random.Random(2).randbytes(100))


def zeros_in_the_middle(path):
    middle = path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES
    overwrite(path, middle, bytes(8 * PAGE_BYTES))


def cut_in_half(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def cut_in_a_page(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - PAGE_BYTES - 1)


def cut_to_nothing(path):
    path.write_bytes(b"")


def another_kind_of_file(path):
    path.write_text("This is no database.\n" * 1000)


DAMAGES = [
    noise_in_the_middle,
    noise_over_the_header,
    zeros_in_the_middle,
    cut_in_half,
    cut_in_a_page,
    cut_to_nothing,
    another_kind_of_file,
]


@pytest.fixture
async def stored(path, clock, make_new_test, make_step):
    """The path of a closed database with 200 steps, and that of its backup."""
    async with Database.open(path, clock=clock) as database:
        test_id = (await database.create_forward_test(make_new_test())).id
        await database.commit_steps([make_step(test_id, n) for n in range(1, 201)])
        await database.backup(path.parent / "backups" / "jesse.sqlite3")
    return path, path.parent / "backups" / "jesse.sqlite3"


async def open_and_close(path, clock):
    async with Database.open(path, clock=clock):
        pass


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_set_aside_and_said_so(stored, clock, damage):
    path, _ = stored
    damage(path)
    damaged = path.read_bytes()

    with pytest.raises(DatabaseCorrupted) as caught:
        await open_and_close(path, clock)

    aside = path.with_name("jesse.sqlite3.corrupted-20231114T221320Z")
    assert aside.read_bytes() == damaged
    assert not path.exists()
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert str(caught.value).endswith(
        f"and was moved to {aside}. Copy a backup to {path} and start again; to start with an "
        f"empty database, move {aside.name} to another folder"
    )


@pytest.mark.parametrize("damage", DAMAGES)
async def test_no_later_start_begins_with_an_empty_database(stored, clock, damage):
    path, _ = stored
    damage(path)
    with pytest.raises(DatabaseCorrupted):
        await open_and_close(path, clock)

    for _ in range(2):
        with pytest.raises(DatabaseCorrupted, match=r"was damaged and lies at .*corrupted-2023"):
            await open_and_close(path, clock)
        assert not path.exists()


async def test_a_restored_backup_is_whole(stored, clock, make_step, read_step):
    path, backup = stored
    noise_in_the_middle(path)
    with pytest.raises(DatabaseCorrupted):
        await open_and_close(path, clock)

    shutil.copy(backup, path)

    async with Database.open(path, clock=clock) as database:
        assert await read_step(database, 1) == 200
        assert await database.commit_step(make_step(1, 201))


async def test_an_empty_database_is_begun_once_the_damaged_file_is_moved_away(
    stored, clock, tmp_path
):
    path, _ = stored
    cut_in_half(path)
    with pytest.raises(DatabaseCorrupted):
        await open_and_close(path, clock)

    for aside in path.parent.glob("*corrupted*"):
        aside.rename(tmp_path / aside.name)

    async with Database.open(path, clock=clock) as database:
        assert await database.list_forward_tests() == []


async def test_the_log_of_a_damaged_file_is_set_aside_with_it(stored, tmp_path, clock):
    path, _ = stored
    copy = tmp_path / "killed" / path.name
    copy.parent.mkdir()
    async with Database.open(path, clock=clock) as database:
        await database.set_setting("a", 1)
        # What a killed process leaves: a file, and a log of what isn't in the file yet.
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    log = copy.with_name(f"{copy.name}-wal").read_bytes()
    noise_in_the_middle(copy)

    with pytest.raises(DatabaseCorrupted):
        await open_and_close(copy, clock)

    left = {file.name: file for file in copy.parent.iterdir()}
    assert log
    assert left["jesse.sqlite3.corrupted-20231114T221320Z-wal"].read_bytes() == log
    assert "jesse.sqlite3-wal" not in left
    assert "jesse.sqlite3-shm" not in left


async def test_two_damages_in_one_second_are_both_kept(stored, clock):
    path, backup = stored
    cut_in_half(path)
    with pytest.raises(DatabaseCorrupted):
        await open_and_close(path, clock)
    shutil.copy(backup, path)
    noise_over_the_header(path)

    with pytest.raises(DatabaseCorrupted, match="20231114T221320Z-2"):
        await open_and_close(path, clock)

    assert len(list(path.parent.glob("*corrupted-20231114T221320Z"))) == 1
    assert len(list(path.parent.glob("*corrupted-20231114T221320Z-2"))) == 1


async def test_a_log_without_its_file_is_no_reason_to_begin_anew(stored, clock):
    path, _ = stored
    path.unlink()
    log = path.with_name(f"{path.name}-wal")
    log.write_bytes(b"frames")

    with pytest.raises(DatabaseCorrupted, match=r"is gone but its jesse\.sqlite3-wal is there"):
        await open_and_close(path, clock)

    log.unlink()
    await open_and_close(path, clock)


async def test_damage_found_by_reading_only_is_told_and_nothing_is_moved(stored, clock):
    path, _ = stored
    noise_over_the_header(path)
    damaged = path.read_bytes()

    with pytest.raises(DatabaseCorrupted, match=r"is damaged .*start it again, it then says"):
        async with Database.open(path, read_only=True):
            pass

    assert path.read_bytes() == damaged


async def test_damage_found_while_running_is_told(stored, clock):
    path, _ = stored
    with path.open("r+b") as file:
        size = path.stat().st_size
        for offset in range(PAGE_BYTES, size, PAGE_BYTES):  # all but the first page
            file.seek(offset)
            file.write(bytes([offset // PAGE_BYTES % 256]) * PAGE_BYTES)

    async with Database.open(path, read_only=True) as database:
        with pytest.raises(DatabaseCorrupted, match="stop Jesse and start it again"):
            await database.get_trades(1)
