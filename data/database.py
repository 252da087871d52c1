"""The SQLite database: opening, transactions, backup. Tables and their SQL live in `data.storage`.

async with Database.open(path) as database:
    await database.save_trade(test_id, trade)             # a transaction of its own
    async with database.transaction() as transaction:     # several, together or not at all
        await transaction.save_portfolio(test_id, ...)
        await transaction.append_message(...)

One process at a time works with a database; others can read it (`read_only`). Writing and reading
happen on two threads of their own, so that nothing blocks the event loop.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Self

from data.errors import DatabaseMisused
from data.storage import files
from data.storage.books import BookOperations
from data.storage.failures import explained
from data.storage.forward_tests import ForwardTestOperations
from data.storage.jobs import JobOperations
from data.storage.journal import JournalOperations
from data.storage.operations import Clock
from data.storage.outbox import OutboxOperations
from data.storage.process_lock import ProcessLock
from data.storage.records import (
    AuditEntry,
    EquityMark,
    ForwardEvent,
    ForwardTest,
    ForwardTestStatus,
    Job,
    JobState,
    NewForwardTest,
    NewJob,
    NewMessage,
    OutboxMessage,
    StepRecord,
    StoredPortfolio,
    StoredTrade,
    Tally,
)
from data.storage.steps import StepOperations
from data.storage.tallies import TallyOperations
from data.storage.worker import (
    Result,
    Work,
    WorkerConnection,
    begin,
    commit,
    connect_worker,
    finish,
    roll_back,
    run_in_savepoint,
    run_in_transaction,
)

__all__ = [
    "AuditEntry",
    "Database",
    "EquityMark",
    "ForwardEvent",
    "ForwardTest",
    "ForwardTestStatus",
    "Job",
    "JobState",
    "NewForwardTest",
    "NewJob",
    "NewMessage",
    "OutboxMessage",
    "StepRecord",
    "StoredPortfolio",
    "StoredTrade",
    "Tally",
    "Transaction",
]

_BUSY_TIMEOUT_MS: Final = 5_000


def system_clock() -> int:
    """Return the machine's time in ms UTC."""
    return time.time_ns() // 1_000_000


class _AllOperations(
    ForwardTestOperations,
    BookOperations,
    TallyOperations,
    StepOperations,
    OutboxOperations,
    JobOperations,
    JournalOperations,
):
    """Every operation; where it runs is up to the subclass."""


class Transaction(_AllOperations):
    """The operations inside an open transaction. An operation that fails undoes only itself."""

    def __init__(self, connection: WorkerConnection, path: Path, clock: Clock) -> None:
        super().__init__(clock)
        self._connection = connection
        self._path = path
        self._is_over = False

    def end(self) -> None:
        """Refuse all further use."""
        self._is_over = True

    async def _read(self, work: Work[Result]) -> Result:
        return await self._write(work)

    async def _write(self, work: Work[Result], *, is_quiet: Work[bool] | None = None) -> Result:
        if self._is_over:
            raise DatabaseMisused("this transaction is over: begin another one")
        with explained(self._path):
            return await self._connection.run(lambda connection: run_in_savepoint(connection, work))


class Database(_AllOperations):
    """Jesse's tables in one SQLite file.

    Each operation is a transaction of its own, or part of the one that the same task has open; in
    tasks that a block starts (`gather`, `wait_for`), use the operations of the transaction itself.
    Transactions of other tasks wait for each other; reading waits for nobody and sees what was
    committed last. `clock` tells ms UTC; `busy_timeout_ms` is how long to wait for other programs.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        read_only: bool = False,
        busy_timeout_ms: int = _BUSY_TIMEOUT_MS,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(clock)
        self.path = Path(path)
        self._read_only = read_only
        self._busy_timeout_ms = busy_timeout_ms
        self._process_lock = ProcessLock(self.path)
        self._turn = asyncio.Lock()
        self._open_transaction: Transaction | None = None
        self._owner: asyncio.Task[object] | None = None
        self._writer: WorkerConnection | None = None
        self._reader: WorkerConnection | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path | str,
        *,
        read_only: bool = False,
        busy_timeout_ms: int = _BUSY_TIMEOUT_MS,
        clock: Clock = system_clock,
    ) -> AsyncIterator[Self]:
        """Open a database for the length of a block; see `initialize`."""
        database = cls(path, read_only=read_only, busy_timeout_ms=busy_timeout_ms, clock=clock)
        await database.initialize()
        try:
            yield database
        finally:
            await database.close()

    async def initialize(self) -> None:
        """Check the file, make it or bring its schema up to date, and open it.

        Raises:
            DatabaseInUse: another process works with it.
            DatabaseCorrupted: it is damaged; the message says where it was put and how to go on.
            DatabaseMismatch: it is of a newer Jesse or of another program.
            StoreError: it can't be read or written; the message says why.
        """
        if self._reader is not None:
            raise DatabaseMisused(f"{self.path} is open already")
        try:
            with explained(self.path):
                await finish(self._open_files())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait for what is running, then close; closing again does nothing."""
        if self._is_owner():
            raise DatabaseMisused("a transaction is open: end it before closing the database")
        with explained(self.path):
            await finish(self._close_files())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Store all that happens in a block together, or nothing when it raises or is cancelled.

        Operations of the database itself join in when they are awaited by the same task.

        Raises:
            DatabaseMisused: this task has a transaction open.
        """
        if self._is_owner():
            raise DatabaseMisused("a transaction can't be opened inside another one")
        async with self._turn:
            writer = self._get_writer()
            transaction = Transaction(writer, self.path, self._clock)
            try:
                with explained(self.path):
                    await writer.run(begin)
                self._owner, self._open_transaction = asyncio.current_task(), transaction
                yield transaction
                transaction.end()
                with explained(self.path):
                    await writer.run(commit)
            except BaseException:
                # The connection works in order: this undoes also what is still on its way there.
                with explained(self.path):
                    await finish(writer.run(roll_back))
                raise
            finally:
                transaction.end()
                self._owner = self._open_transaction = None

    async def backup(self, path: Path | str) -> None:
        """Copy what is committed to a file of its own, while the work goes on; it replaces `path`.

        To restore it, copy it to the database's place while Jesse is stopped.

        Raises:
            StoreError: the copy can't be made; an older one at `path` stays as it was.
        """
        self._get_reader()
        target = Path(path)
        with explained(target):
            await finish(
                asyncio.to_thread(
                    files.back_up, self.path, target, busy_timeout_ms=self._busy_timeout_ms
                )
            )

    async def _read(self, work: Work[Result]) -> Result:
        if self._is_owner() and self._open_transaction is not None:
            return await self._open_transaction._read(work)
        with explained(self.path):
            return await self._get_reader().run(work)

    async def _write(self, work: Work[Result], *, is_quiet: Work[bool] | None = None) -> Result:
        if self._is_owner() and self._open_transaction is not None:
            return await self._open_transaction._write(work, is_quiet=is_quiet)
        async with self._turn:
            with explained(self.path):
                # To its end also when cancelled: what comes next must not find it half way.
                return await finish(
                    self._get_writer().run(
                        lambda connection: run_in_transaction(connection, work, is_quiet)
                    )
                )

    def _is_owner(self) -> bool:
        return self._owner is not None and self._owner is asyncio.current_task()

    def _get_reader(self) -> WorkerConnection:
        if self._reader is None:
            raise DatabaseMisused(f"{self.path} is not open")
        return self._reader

    def _get_writer(self) -> WorkerConnection:
        self._get_reader()
        if self._writer is None:
            raise DatabaseMisused(f"{self.path} is open for reading only")
        return self._writer

    async def _open_files(self) -> None:
        patience = self._busy_timeout_ms
        if self._read_only:
            await asyncio.to_thread(files.check_readable, self.path, busy_timeout_ms=patience)
        else:
            await asyncio.to_thread(self._lock_and_prepare)
            self._writer = await connect_worker(self.path, mode="rw", busy_timeout_ms=patience)
        self._reader = await connect_worker(self.path, mode="ro", busy_timeout_ms=patience)

    def _lock_and_prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._process_lock.acquire()
        files.prepare(self.path, now=self._clock(), busy_timeout_ms=self._busy_timeout_ms)

    async def _close_files(self) -> None:
        async with self._turn:
            reader, self._reader = self._reader, None
            writer, self._writer = self._writer, None
            async with AsyncExitStack() as closing_last_first:
                closing_last_first.callback(self._process_lock.release)
                # Whoever closes last empties the write-ahead log into the file: the writer.
                for connection in (writer, reader):
                    if connection is not None:
                        closing_last_first.push_async_callback(connection.close)
