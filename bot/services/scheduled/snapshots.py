"""Saving the state of all forward tests: each writes its own, then the database is copied.

A test stores its state with every candle, so that nothing is lost when the process ends. This adds
what a candle does not: a test whose task no longer answers is found out, all of it is on disk even
if the machine dies, and one copy of the database is never older than SNAPSHOT_MINUTES.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from bot.errors import BotError, InvalidInput
from bot.services.forward.runner import ForwardRunner
from bot.services.scheduled.backups import BacksUp
from data.storage.records import StoredPortfolio

LATEST: Final = "jesse-latest.db"
ANSWER_S: Final = 30.0
_HOUR_MINUTES: Final = 60
_DAY_HOURS: Final = 24

Runners = Callable[[], Sequence[ForwardRunner]]


class SnapshotFailed(BotError):
    """The state of some forward tests could not be saved; names each and says why."""


class SnapshotStore(BacksUp, Protocol):
    """A database that knows the books of tests."""

    async def get_portfolio(self, test_id: int) -> StoredPortfolio | None:
        """Return a test's book."""


async def save_snapshots(
    database: SnapshotStore,
    runners: Sequence[ForwardRunner],
    folder: Path,
    *,
    answer_s: float = ANSWER_S,
) -> str:
    """Let every running test save its state, copy the database; return what was done.

    Raises:
        SnapshotFailed: a test did not answer within `answer_s`, or its state was not stored.
        StoreError: the copy can't be made.
    """
    # A test at rest has stored all it has.
    alive = [runner for runner in runners if not runner.fault]
    problems = await asyncio.gather(*(_save(database, runner, answer_s) for runner in alive))
    latest = folder / LATEST
    await database.backup(latest)
    found = [problem for problem in problems if problem is not None]
    megabytes = latest.stat().st_size / 1e6
    text = f"{len(alive) - len(found):,} forward tests saved, {LATEST} has {megabytes:,.1f} MB"
    if found:
        raise SnapshotFailed(f"{text}; not saved: {'; '.join(found)}")
    return text


def every_minutes(minutes: float) -> str:
    """Return a cron of even pauses that are no longer than these minutes, at least one.

    An hour or a day must be a whole number of pauses: 45 gives every 30 minutes.
    """
    whole = max(1, math.floor(minutes))
    if whole < _HOUR_MINUTES:
        return f"{_step(whole, _HOUR_MINUTES)} * * * *"
    hours = whole // _HOUR_MINUTES
    return f"0 {_step(hours, _DAY_HOURS)} * * *" if hours < _DAY_HOURS else "0 0 * * *"


def _step(wanted: int, whole: int) -> str:
    step = next(step for step in range(wanted, 0, -1) if whole % step == 0)
    return "*" if step == 1 else f"*/{step}"


async def _save(database: SnapshotStore, runner: ForwardRunner, answer_s: float) -> str | None:
    test = runner.session.test
    try:
        async with asyncio.timeout(answer_s):
            record = await runner.order(runner.session.save_state)
    except TimeoutError:
        return f"{test.name}: no answer within {answer_s:g} seconds"
    except InvalidInput as error:
        return str(error)
    book = await database.get_portfolio(test.id)
    if book is None or book.step < record.step:
        return f"{test.name}: step {record.step} is not in the database"
    return None
