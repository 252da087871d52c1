"""Opening: a new file, an old one, one in use, one that can't be written."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from data.database import Database
from data.errors import (
    DatabaseInUse,
    DatabaseMisused,
    StoreError,
)

OPEN_AND_TELL = """
import asyncio, sys
from data.database import Database
from data.errors import StoreError

async def main():
    try:
        async with Database.open(sys.argv[1]):
            print("open", flush=True)
            sys.stdin.read()
    except StoreError as error:
        print(type(error).__name__, error, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def start_process(pytestconfig):
    """Start Python code in a process of its own, fed and read through pipes."""
    started = []

    def start(code, *arguments, prefix=()):
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(pytestconfig.rootpath)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def without_privileges():
    """Return what to put before a command so that even root must obey a file's permissions."""
    if os.name != "posix":
        pytest.skip("permissions of folders are POSIX")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root obeys permissions only without its capabilities: needs setpriv")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def files_of(folder):
    return sorted(file.name for file in folder.iterdir())


async def test_a_new_database_is_made_with_its_folders(path):
    async with Database.open(path) as database:
        assert await database.list_forward_tests() == []

    assert files_of(path.parent) == ["jesse.sqlite3", "jesse.sqlite3.lock"]


async def test_it_logs_ahead_enforces_references_and_waits_for_others(database):
    names = ("journal_mode", "foreign_keys", "busy_timeout")

    def read(connection):
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database._writer.run(read) == ["wal", 1, 50]
    assert await database._reader.run(read) == ["wal", 1, 50]


async def test_what_was_stored_is_there_again(path, make_new_test):
    async with Database.open(str(path)) as database:
        await database.create_forward_test(make_new_test())

    async with Database.open(path) as database:
        assert [test.name for test in await database.list_forward_tests()] == ["first"]


async def test_a_path_of_any_characters_is_taken_as_it_is(tmp_path, make_new_test):
    path = tmp_path / "a b?mode=ro#ü%41" / "x [1]*.db"

    for _ in range(2):
        async with Database.open(path) as database:
            await database.set_setting("a", 1)

    assert files_of(path.parent) == ["x [1]*.db", "x [1]*.db.lock"]


async def test_opening_twice_is_refused_and_disturbs_nobody(database, path):
    with pytest.raises(DatabaseMisused, match="open already"):
        await database.initialize()
    with pytest.raises(DatabaseInUse, match=f"in use by process {os.getpid()}"):
        async with Database.open(path):
            pass

    await database.set_setting("a", 1)


async def test_a_database_can_be_closed_twice_and_opened_again(database):
    await database.close()
    await database.close()
    await database.initialize()

    await database.set_setting("a", 1)


async def test_it_is_not_usable_before_it_is_open(path):
    database = Database(path)

    with pytest.raises(DatabaseMisused, match="is not open"):
        await database.get_setting("a")
    with pytest.raises(DatabaseMisused, match="is not open"):
        async with database.transaction():
            pass


async def test_a_second_process_is_refused(database, start_process, path):
    output, _ = start_process(OPEN_AND_TELL, path).communicate()

    assert output.startswith(f"DatabaseInUse {path} is in use by process {os.getpid()}: stop it")


async def test_a_process_that_was_killed_leaves_no_lock(start_process, path):
    process = start_process(OPEN_AND_TELL, path)
    assert process.stdout.readline() == "open\n"
    with pytest.raises(DatabaseInUse, match=f"process {process.pid}"):
        async with Database.open(path):
            pass

    process.send_signal(signal.SIGKILL)
    process.wait()

    async with Database.open(path) as database:
        await database.set_setting("a", 1)


async def test_it_can_be_read_beside_the_process_that_writes(database, path, test_id):
    async with Database.open(path, read_only=True) as reading:
        await database.set_setting("a", 1)

        assert await reading.get_setting("a") == 1
        assert await reading.find_forward_test("first") is not None
        with pytest.raises(DatabaseMisused, match="for reading only"):
            await reading.set_setting("a", 2)
        with pytest.raises(DatabaseMisused, match="for reading only"):
            async with reading.transaction():
                pass


async def test_reading_needs_a_database(path):
    with pytest.raises(StoreError, match=r"there is no database at .*: start Jesse once"):
        async with Database.open(path, read_only=True):
            pass

    assert not path.parent.exists()


async def test_a_start_that_failed_leaves_nothing_behind(path, monkeypatch):
    def fail(*_):
        raise sqlite3.DatabaseError("no")

    with monkeypatch.context() as patch:
        patch.setattr("data.storage.files.apply_migrations", fail)
        with pytest.raises(sqlite3.DatabaseError):
            async with Database.open(path):
                pass
    assert files_of(path.parent) == ["jesse.sqlite3.lock"]

    async with Database.open(path) as database:
        await database.set_setting("a", 1)


async def test_a_creation_that_was_killed_is_begun_anew(path):
    path.parent.mkdir()
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(b"half a database")

    async with Database.open(path) as database:
        await database.set_setting("a", 1)

    assert not unfinished.exists()


async def test_a_place_that_can_not_be_a_folder_is_a_clear_error(tmp_path):
    (tmp_path / "var").write_text("a file")

    with pytest.raises(StoreError, match=r"jesse\.db can't be used"):
        async with Database.open(tmp_path / "var" / "jesse.db"):
            pass


async def test_a_folder_that_can_not_be_written_is_a_clear_error(
    path, start_process, without_privileges
):
    path.parent.mkdir()
    for exists in (False, True):
        if exists:
            async with Database.open(path) as database:
                await database.set_setting("a", 1)
        path.parent.chmod(0o555)
        output, _ = start_process(OPEN_AND_TELL, path, prefix=without_privileges).communicate()
        path.parent.chmod(0o755)

        assert output.startswith(f"DatabaseNotWritable {path} can't be opened or written")
        assert f"allow this user to write to {path.parent}" in output

    async with Database.open(path) as database:
        assert await database.get_setting("a") == 1


async def test_a_file_that_can_not_be_written_is_found_at_start(
    path, start_process, without_privileges
):
    async with Database.open(path) as database:
        await database.set_setting("a", 1)
    path.chmod(0o444)

    output, _ = start_process(OPEN_AND_TELL, path, prefix=without_privileges).communicate()

    assert output.startswith(f"DatabaseNotWritable {path} can't be opened or written")
    path.chmod(0o644)
    async with Database.open(path) as database:
        assert await database.get_setting("a") == 1


@pytest.mark.skipif(os.name != "posix", reason="needs flock")
async def test_a_disk_that_knows_no_locks_is_a_clear_error(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        with pytest.raises(StoreError, match=r"can't be used: .*No locks available"):
            async with Database.open(path):
                pass

    async with Database.open(path) as database:
        await database.set_setting("a", 1)


async def test_an_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 36, 0))

    with pytest.raises(StoreError, match=r"too old: 3.37 or newer is needed"):
        async with Database.open(path):
            pass


async def test_another_program_that_holds_the_database_is_named_at_start(path):
    async with Database.open(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another program"):
            async with Database.open(path, busy_timeout_ms=20):
                pass

    async with Database.open(path) as database:
        await database.set_setting("a", 1)
    assert not list(path.parent.glob("*corrupted*"))
