"""Background tasks with an owner: none is lost, none dies unseen. Knows no Discord."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

Alert = Callable[[str], Awaitable[None]]


class BackgroundTasks:
    """Keeps tasks alive; one that raises is logged and told to `alert`."""

    def __init__(self, alert: Alert) -> None:
        self._alert = alert
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task; its name is what people are told if it dies."""
        task = asyncio.create_task(self._watch(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, timeout_s: float) -> None:
        """Wait for all to end, then cancel the rest."""
        if self._tasks and timeout_s > 0:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _watch(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("background task %r died", name)
            try:
                await self._alert(f"⚠️ Background task “{name}” died; the log says why.")
            except Exception:
                log.exception("nobody could be told that %r died", name)
