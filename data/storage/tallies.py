"""Counts and sums over a test's book, made by the database: nothing is read row by row.

A period excludes its start and includes its end, as does a candle's close: what happens at the end
of a day belongs to that day.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from data.storage.book_rows import select_trade
from data.storage.operations import Operations
from data.storage.records import EquityMark, StoredTrade, Tally

_TALLY: Final = "SELECT count(*), coalesce(sum(pnl > 0), 0), total(pnl) FROM trades "
_TALLY_UP_TO: Final = f"""
{_TALLY} WHERE test_id = ?1
AND id <= (SELECT id FROM trades WHERE test_id = ?1 AND trade_id = ?2)
"""
_TALLY_BETWEEN: Final = f"{_TALLY} WHERE test_id = ? AND exit_time > ? AND exit_time <= ?"
_LAST_MARK: Final = """
SELECT time, equity FROM equity_marks WHERE test_id = ? AND time <= ? ORDER BY time DESC LIMIT 1
"""
_COUNT_EVENTS: Final = """
SELECT count(*) FROM events WHERE test_id = ? AND kind = ? AND time > ? AND time <= ?
"""


class TallyOperations(Operations):
    """Sum trades up, find single records; all are cheap, however long a test has run."""

    async def get_trade(self, test_id: int, trade_id: int) -> StoredTrade | None:
        """Return one trade of a test, None where it isn't stored."""
        return await self._read(lambda connection: select_trade(connection, test_id, trade_id))

    async def tally_up_to(self, test_id: int, trade_id: int) -> Tally | None:
        """Sum a test's trades up to one of them, in the order of closing; None where it isn't."""
        found = await self._tally(_TALLY_UP_TO, (test_id, trade_id))
        return found if found.trades else None

    async def tally_between(self, test_id: int, start: int, end: int) -> Tally:
        """Sum the trades of a test that were closed in a period (ms, start excluded)."""
        return await self._tally(_TALLY_BETWEEN, (test_id, start, end))

    async def get_last_mark(self, test_id: int, time: int) -> EquityMark | None:
        """Return a test's last equity mark at or before a time (ms), None where there is none."""

        def work(connection: sqlite3.Connection) -> EquityMark | None:
            row = connection.execute(_LAST_MARK, (test_id, time)).fetchone()
            return None if row is None else EquityMark(*row)

        return await self._read(work)

    async def count_events(self, test_id: int, kind: str, start: int, end: int) -> int:
        """Count the events of a kind in a period (ms, start excluded)."""
        values = (test_id, kind, start, end)
        return await self._read(
            lambda connection: int(connection.execute(_COUNT_EVENTS, values).fetchone()[0])
        )

    async def count_messages(
        self, test_id: int, kinds: Sequence[str], channel: str, start: int, end: int
    ) -> dict[str, int]:
        """Count the messages of a test by kind that were put in during a period, sent or not."""
        marks = ", ".join("?" * len(kinds))
        sql = (
            f"SELECT kind, count(*) FROM outbox WHERE channel = ? AND test_id = ?"
            f" AND created_at > ? AND created_at <= ? AND kind IN ({marks}) GROUP BY kind"
        )
        values = (channel, test_id, start, end, *kinds)
        return await self._read(
            lambda connection: {kind: int(n) for kind, n in connection.execute(sql, values)}
        )

    async def _tally(self, sql: str, values: tuple[Any, ...]) -> Tally:
        def work(connection: sqlite3.Connection) -> Tally:
            trades, won, pnl = connection.execute(sql, values).fetchone()
            return Tally(int(trades), int(won), float(pnl))

        return await self._read(work)
