"""Storing an engine's step: all that it changed, together or not at all, and once."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from data.errors import RecordConflict
from data.storage.book_rows import (
    Row,
    insert_trade,
    position_row,
    replace_positions,
    select_position_rows,
    trade_row,
)
from data.storage.books import SAVE_EQUITY, SAVE_EVENT, SAVE_STATE, event_row
from data.storage.operations import Operations, encode_json
from data.storage.outbox import insert_message, message_row
from data.storage.records import StepRecord, StoredTrade

_SELECT_STEP: Final = "SELECT step, step_digest FROM portfolios WHERE test_id = ?"
_SAVE_STEP: Final = """
INSERT INTO portfolios (test_id, balance, equity, last_candle_time, step, step_digest)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (test_id) DO UPDATE SET
    balance = excluded.balance, equity = excluded.equity,
    last_candle_time = excluded.last_candle_time,
    step = excluded.step, step_digest = excluded.step_digest
"""


@dataclass(frozen=True, slots=True)
class StepRows:
    """A step as the values of its rows: what happens to the engine meanwhile can't change it.

    Whoever stores many steps at once makes the rows of each when it comes, not all in one go.
    """

    test_id: int
    step: int
    portfolio: Row
    state: str
    positions: tuple[Row, ...]
    trades: tuple[Row, ...]
    equity_marks: tuple[Row, ...]
    events: tuple[Row, ...]
    alerts: tuple[Row, ...]

    @property
    def digest(self) -> str:
        """What tells this step from another one of the same number."""
        # What the class was called when the first steps were stored: their digests still count.
        text = f"_{self!r}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class StepOperations(Operations):
    """Commit the steps of engines."""

    async def commit_step(self, record: StepRecord | StepRows) -> bool:
        """Store one step whole; return False when it was stored before, which changes nothing.

        A step that trades, alerts, tells of an event or changes the open positions survives a power
        failure; one that only moves time on survives the end of the process, and is computed again
        from its candles if the machine dies.

        Raises:
            RecordConflict: a step before it is missing, or another one of that number is stored.
        """
        return (await self.commit_steps([record]))[0]

    async def commit_steps(self, records: Sequence[StepRecord | StepRows]) -> list[bool]:
        """Store steps of several tests in one transaction; the answers are those of `commit_step`.

        When it raises, none is stored: commit them one by one to find the one that is wrong.
        """
        steps = [each if isinstance(each, StepRows) else step_rows(each) for each in records]
        now = self._clock()
        return await self._write(
            lambda connection: [_store(connection, step, now) for step in steps],
            is_quiet=lambda connection: all(_is_quiet(connection, step) for step in steps),
        )


def step_rows(record: StepRecord) -> StepRows:
    """Return a step as rows.

    Raises:
        UnstorableValue: a snapshot, event or alert has no JSON text.
    """
    test_id = record.test_id
    return StepRows(
        test_id=test_id,
        step=record.step,
        portfolio=(
            test_id,
            float(record.balance),
            float(record.equity),
            int(record.last_candle_time),
        ),
        state=encode_json(dict(record.snapshot), "the engine's snapshot"),
        positions=tuple(position_row(test_id, position) for position in record.positions),
        trades=tuple(
            trade_row(StoredTrade(test_id, trade, record.recovered)) for trade in record.trades
        ),
        equity_marks=tuple(
            (test_id, int(mark.time), float(mark.equity)) for mark in record.equity_marks
        ),
        events=tuple((test_id, *event_row(event)) for event in record.events),
        alerts=tuple(message_row(alert) for alert in record.alerts),
    )


def _is_quiet(connection: sqlite3.Connection, step: StepRows) -> bool:
    if step.trades or step.events or step.alerts:
        return False
    return select_position_rows(connection, step.test_id) == step.positions


def _store(connection: sqlite3.Connection, step: StepRows, now: int) -> bool:
    if _is_stored(connection, step):
        return False
    connection.execute(_SAVE_STEP, (*step.portfolio, step.step, step.digest))
    connection.execute(SAVE_STATE, (step.test_id, step.state))
    replace_positions(connection, step.test_id, step.positions)
    for trade in step.trades:
        insert_trade(connection, trade)
    connection.executemany(SAVE_EQUITY, step.equity_marks)
    connection.executemany(SAVE_EVENT, step.events)
    for alert in step.alerts:
        insert_message(connection, alert, now)
    return True


def _is_stored(connection: sqlite3.Connection, step: StepRows) -> bool:
    row = connection.execute(_SELECT_STEP, (step.test_id,)).fetchone()
    last, digest = (0, None) if row is None else row
    if step.step == last + 1:
        return False
    name = f"step {step.step} of forward test {step.test_id}"
    if step.step > last + 1:
        raise RecordConflict(f"{name} can't follow step {last}: commit step {last + 1} first")
    if step.step < 1 or (step.step == last and digest != step.digest):
        raise RecordConflict(f"{name} isn't the one that is stored: is the test run twice?")
    return True
