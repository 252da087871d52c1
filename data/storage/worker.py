"""A SQLite connection on a thread of its own, and transactions on it. Knows no table."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import aiosqlite

from data.errors import DatabaseMisused

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]
Mode = Literal["ro", "rw", "rwc"]

_JOURNAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


class WorkerConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs whole functions: many statements in one trip to its thread.

    Functions run one after the other in the order of `run`, each to its end, also when the task
    that waits for it is cancelled.
    """

    async def run(self, work: Work[Result]) -> Result:
        """Run a function with the connection on its thread and return what it returns."""
        execute: Callable[..., Awaitable[Result]] = self._execute
        return await execute(work, self._conn)


async def connect_worker(path: Path, *, mode: Mode, busy_timeout_ms: int) -> WorkerConnection:
    """Open a connection on a new thread; with mode `ro` it can't write."""
    worker = WorkerConnection(
        lambda: connect(path, mode=mode, timeout_ms=busy_timeout_ms), iter_chunk_size=64
    )
    await worker
    return worker


def connect(path: Path, *, mode: Mode, timeout_ms: int) -> sqlite3.Connection:
    """Open a connection in this thread; it begins and commits only when told to."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=timeout_ms / 1000,
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
        connection.execute("PRAGMA schema_version")  # opens the file, which `connect` puts off
    except BaseException:
        connection.close()
        raise
    return connection


def begin(connection: sqlite3.Connection, *, synced: bool = True) -> None:
    """Begin a transaction that may write; when `synced`, its commit survives a power failure."""
    connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection) -> None:
    """Commit the transaction that `begin` began."""
    _require_transaction(connection)
    connection.execute("COMMIT")


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the open transaction, if SQLite has not undone it by itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def run_in_transaction(
    connection: sqlite3.Connection, work: Work[Result], is_quiet: Work[bool] | None = None
) -> Result:
    """Run a function as a transaction of its own; it isn't synced when `is_quiet` says so."""
    begin(connection, synced=is_quiet is None or not is_quiet(connection))
    try:
        result = work(connection)
        commit(connection)
    except BaseException:
        roll_back(connection)
        raise
    return result


def run_in_savepoint(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    """Run a function inside the open transaction; if it fails, only its own changes are undone."""
    _require_transaction(connection)
    connection.execute("SAVEPOINT operation")
    try:
        result = work(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO operation")
            connection.execute("RELEASE operation")
        raise
    connection.execute("RELEASE operation")
    return result


async def finish(work: Coroutine[Any, Any, Result] | asyncio.Future[Result]) -> Result:
    """Await something to its end even when cancelled meanwhile; the cancellation comes after.

    A future is awaited as it is; a coroutine gets a task.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        task.exception()  # seen; the cancellation matters more to whoever asked for it
        raise cancellation
    return task.result()


def _require_transaction(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        raise DatabaseMisused("the transaction was undone by an earlier error: run it again")
