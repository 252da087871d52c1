"""Coroutines on an event loop of their own in a thread, for those that compute between awaits.

Parsing thousands of markets or reading a store's index takes tens of milliseconds; on the bot's
loop every button and heartbeat would wait for it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
Value = TypeVar("Value")


async def run_apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine in a thread and return its result; cancelling cancels it there, too."""
    apart = _Apart(work)
    running = asyncio.ensure_future(asyncio.to_thread(apart.run))
    try:
        result: Result = await asyncio.shield(running)
    except asyncio.CancelledError:
        apart.cancel()
        # It must have let go of its files and sockets before anybody else goes on.
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()
        raise
    return result


def on_this_loop(function: Callable[[Value], None]) -> Callable[[Value], None]:
    """Return a function for other threads that calls this one on the present event loop."""
    loop = asyncio.get_running_loop()

    def call(value: Value) -> None:
        loop.call_soon_threadsafe(function, value)

    return call


class _Apart:
    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_cancelled = False

    def run(self) -> Any:
        return asyncio.run(self._main())

    def cancel(self) -> None:
        self._is_cancelled = True
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def _main(self) -> Any:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._work())
        # Cancelled before the thread came to it.
        if self._is_cancelled:
            self._task.cancel()
        return await self._task
