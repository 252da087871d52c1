"""Stores the steps of all tests of a process, those that come at once together. No SQL here.

At the close of a minute many tests have a step; each alone would wait for the disk for all before.
"""

import asyncio
from typing import Final

from bot.services.forward.turns import Turns
from data.database import Database
from data.errors import StoreError
from data.storage.records import ForwardEvent, ForwardTestStatus, StepRecord
from data.storage.steps import StepRows, step_rows
from data.storage.worker import finish

_MOST_AT_ONCE: Final = 100


class _Waiting:
    """A step that is to be stored, and whoever waits for it."""

    def __init__(self, rows: StepRows) -> None:
        self.rows = rows
        self.stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class StepCommitter:
    """Commits steps in the order they come; what comes during a commit goes into the next one.

    While tests wait for their `turns` to decide, steps are gathered: each commit waits for the
    disk, and takes time from those that decide.
    """

    def __init__(self, database: Database, turns: Turns | None = None) -> None:
        self._database = database
        self._turns = turns or Turns()
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None

    async def commit_step(self, record: StepRecord) -> bool:
        """Store a step whole, and see it stored even when cancelled; see `Database.commit_step`."""
        waiting = _Waiting(step_rows(record))
        self._waiting.append(waiting)
        if self._work is None:
            self._work = asyncio.create_task(self._commit_all(), name="forward test steps")
        return await finish(waiting.stored)

    async def save_event(self, test_id: int, event: ForwardEvent) -> None:
        """Store what happened beside the engine."""
        await self._database.save_event(test_id, event)

    async def set_forward_test_status(
        self, test_id: int, status: ForwardTestStatus, *, fault: str | None = None
    ) -> None:
        """Store what the test is doing."""
        await self._database.set_forward_test_status(test_id, status, fault=fault)

    async def _commit_all(self) -> None:
        while self._waiting:
            # Each look of the loop lets some of them decide.
            while self._turns.are_waited_for and len(self._waiting) < _MOST_AT_ONCE:  # noqa: ASYNC110
                await asyncio.sleep(0)
            batch = self._waiting[:_MOST_AT_ONCE]
            del self._waiting[:_MOST_AT_ONCE]
            try:
                answers = await self._database.commit_steps([each.rows for each in batch])
            except Exception as error:  # noqa: BLE001 - told to whoever waits
                await self._commit_apart(batch, error)
                continue
            for each, is_new in zip(batch, answers, strict=True):
                each.stored.set_result(is_new)
        self._work = None

    async def _commit_apart(self, batch: list[_Waiting], error: Exception) -> None:
        """Store one by one what can't be stored together: one wrong step stops no other test."""
        if len(batch) == 1 or not isinstance(error, StoreError):
            for each in batch:
                each.stored.set_exception(error)
            return
        for each in batch:
            try:
                each.stored.set_result(await self._database.commit_step(each.rows))
            except Exception as alone:  # noqa: BLE001 - told to whoever waits
                each.stored.set_exception(alone)
