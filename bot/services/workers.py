"""Worker processes for what would hold the event loop up. Knows nothing of what they compute.

async with WorkerPool(2) as pool:
    result = await pool.run(function, argument, on_progress=show)
"""

import asyncio
import contextlib
import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import psutil

from bot.errors import BotError
from bot.memory_room import memory_room

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Report = Callable[[Any], None]


# A worker has 80 to 180 MB of its own and 65 MB of libraries; what a long run has grown on is not
# given back otherwise. Shared pages don't count: mapped candles are the system's to take back.
_LARGE_BYTES: Final = 320 * 1024 * 1024
# Where memory ends, a backtest goes before the bot and the forward tests in it.
_EXPENDABLE: Final = "800"
# A browser with two pictures fits into it: where less is left, no worker is kept for the next work.
_NEEDED_ROOM_BYTES: Final = 400 * 1024 * 1024
# Idle it would keep that memory; another takes a second to start.
_IDLE_S: Final = 300.0

# A process whose pipe is closed ends in a moment.
_END_S: Final = 10.0
_ENDED: Final = "the worker process ended in the middle of its work"

# Calls a function in so many seconds, unless the handle is cancelled before; as of an event loop.
CallLater = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class WorkerDied(BotError):
    """A worker process ended in the middle of its work: killed, or by what it ran."""


@dataclass(frozen=True, slots=True)
class _Progress:
    value: Any


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _Worker:
    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs,), daemon=True, name="jesse-worker"
        )
        self.process.start()
        theirs.close()

    def is_fit(self) -> bool:
        """Whether it can take more work: alive, and not grown too large."""
        if not self.process.is_alive():
            return False
        with contextlib.suppress(psutil.Error):
            memory = psutil.Process(self.process.pid).memory_info()
            return bool(memory.rss - getattr(memory, "shared", 0) < _LARGE_BYTES)
        return False

    def describe_end(self) -> str:
        """Say why it ended by itself; blocks until it has."""
        self.process.join(_END_S)
        code = self.process.exitcode
        if code in (None, -signal.SIGKILL):
            return f"{_ENDED}: probably out of memory; try a shorter period"
        return f"{_ENDED} with exit code {code}: the strategy, or a library that it uses, ended it"

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()
        self.process.close()


class WorkerPool:
    """At most `size` spawned processes, started when first needed; work waits its turn in order.

    Cancelling `run` kills the process at work and leaves the others alone. A process without work
    for `idle_s` is ended, and at once where memory is short. `call_later` is the event loop's
    unless given, `room` tells how many bytes more may be used.
    """

    def __init__(
        self,
        size: int,
        *,
        idle_s: float = _IDLE_S,
        call_later: CallLater | None = None,
        room: Callable[[], int] | None = None,
    ) -> None:
        self.size = size
        self._idle_s = idle_s
        self._call_later = call_later
        self._room = room
        self._slots = asyncio.Semaphore(size)
        # Pipes block, so they get threads of their own: the loop's few are for file work.
        self._threads = ThreadPoolExecutor(2 * size + 2, thread_name_prefix="jesse-pipe")
        # The one that worked last is taken first, so that others can go.
        self._idle: dict[_Worker, asyncio.TimerHandle] = {}
        self._busy: set[_Worker] = set()
        self._endings: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for timer in self._idle.values():
            timer.cancel()
        for worker in [*self._idle, *self._busy]:
            await self._in_thread(worker.kill)
        self._idle.clear()
        self._busy.clear()
        await asyncio.gather(*self._endings)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(
        self,
        function: Callable[[Argument, Report], Result],
        argument: Argument,
        *,
        on_progress: Report | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> Result:
        """Call `function(argument, report)` in a worker and return its result.

        Whatever the function reports is handed to `on_progress` on the event loop; `on_start` is
        called when its turn has come. Errors it raises are raised here.

        Raises:
            WorkerDied: the process ended before its work.
        """
        async with self._slots:
            if on_start:
                on_start()
            worker = await self._take()
            self._busy.add(worker)
            try:
                outcome = await self._talk(worker, (function, argument), on_progress)
            except BaseException:
                self._busy.discard(worker)
                await asyncio.shield(self._in_thread(worker.kill))
                raise
            await asyncio.shield(self._put_back(worker))
        if isinstance(outcome, _Failed):
            raise outcome.error
        result: Result = outcome.result
        return result

    async def _take(self) -> _Worker:
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            # Its size was looked at when it was put back, and idle it has only shrunk since.
            if worker.process.is_alive():
                return worker
            await self._in_thread(worker.kill)
        started: _Worker = await self._in_thread(_Worker)
        return started

    async def _put_back(self, worker: _Worker) -> None:
        self._busy.discard(worker)
        if await self._in_thread(self._is_worth_keeping, worker):
            call_later = self._call_later or asyncio.get_running_loop().call_later
            self._idle[worker] = call_later(self._idle_s, partial(self._end_idle, worker))
        else:
            await self._in_thread(worker.kill)

    def _is_worth_keeping(self, worker: _Worker) -> bool:
        return worker.is_fit() and (self._room or memory_room)() >= _NEEDED_ROOM_BYTES

    def _end_idle(self, worker: _Worker) -> None:
        del self._idle[worker]
        ending = self._in_thread(worker.kill)
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def _talk(
        self, worker: _Worker, order: Any, on_progress: Report | None
    ) -> "_Done | _Failed":
        try:
            message = await self._in_thread(_ask, worker.connection, order)
            while isinstance(message, _Progress):
                if on_progress:
                    on_progress(message.value)
                message = await self._in_thread(worker.connection.recv)
            return message  # type: ignore[no-any-return]
        except (EOFError, OSError) as error:
            raise WorkerDied(await self._in_thread(worker.describe_end)) from error


def _ask(connection: Connection, order: Any) -> Any:
    connection.send(order)
    return connection.recv()


class _WorkerReport:
    """What work is given to tell of its progress, and to find what this process has kept."""

    def __init__(self, connection: Connection) -> None:
        self.kept: dict[Any, Any] = {}
        self._connection = connection

    def __call__(self, value: Any) -> None:
        self._connection.send(_Progress(value))


def _serve(connection: Connection) -> None:
    # Ctrl-C in a terminal reaches the whole group; the parent decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a system without Linux's memory killer
        Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE)
    report = _WorkerReport(connection)
    while True:
        try:
            function, argument = connection.recv()
        except (EOFError, OSError):
            return
        try:
            outcome: _Done | _Failed = _Done(function(argument, report))
        except Exception as error:  # noqa: BLE001 - the border of the process: told to the parent
            outcome = _Failed(_portable(error))
        connection.send(outcome)


def _portable(error: Exception) -> Exception:
    """Keep the traceback as a note: causes and frames can't cross a pipe."""
    error.add_note("".join(traceback.format_exception(error)))
    error.__cause__ = error.__context__ = None
    try:
        pickle.dumps(error)
    except Exception:  # noqa: BLE001 - a user's error may refuse in any way
        return WorkerDied(f"{type(error).__name__}: {error}")
    return error.with_traceback(None)
