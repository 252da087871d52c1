"""Background tasks with an owner: none is lost, none dies in silence. Nothing else lives here."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

OnDeath = Callable[[Exception], None]


class TaskOwner:
    """Keeps tasks, logs what kills one and tells who needs to know."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self, name: str, work: Coroutine[Any, Any, None], on_death: OnDeath
    ) -> asyncio.Task[None]:
        """Run work in the background; `on_death` is called with the error that ends it."""
        task = asyncio.create_task(self._watch(name, work, on_death), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before it begins never awaits its work.
        task.add_done_callback(lambda _: work.close())
        return task

    async def cancel_all(self) -> None:
        """Stop every task and wait until all have ended."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                # A second cancellation would interrupt the tidying up after the first.
                if not task.cancelling():
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, name: str, work: Coroutine[Any, Any, None], on_death: OnDeath) -> None:
        try:
            await work
        except Exception as error:
            logger.exception("%s died", name)
            on_death(error)
