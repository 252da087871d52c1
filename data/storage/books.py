"""The book of a forward test: positions, trades, portfolio, strategy state, equity and events."""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from data.storage.book_rows import (
    insert_position,
    insert_trade,
    position_row,
    select_positions,
    select_trades,
    trade_row,
)
from data.storage.operations import Operations, decode_json, encode_json, statement
from data.storage.records import EquityMark, ForwardEvent, StoredPortfolio, StoredTrade
from engine.orders import Position, Trade
from engine.results import EquityCurve

FOREVER_MS: Final = 2**63 - 1

SAVE_PORTFOLIO: Final = """
INSERT INTO portfolios (test_id, balance, equity, last_candle_time) VALUES (?, ?, ?, ?)
ON CONFLICT (test_id) DO UPDATE SET
    balance = excluded.balance, equity = excluded.equity,
    last_candle_time = excluded.last_candle_time
"""
SAVE_STATE: Final = "INSERT OR REPLACE INTO strategy_states (test_id, state) VALUES (?, ?)"
SAVE_EQUITY: Final = "INSERT OR REPLACE INTO equity_marks (test_id, time, equity) VALUES (?, ?, ?)"
SAVE_EVENT: Final = """
INSERT INTO events (test_id, time, kind, details) VALUES (?, ?, ?, ?)
ON CONFLICT (test_id, time, kind, details) DO NOTHING
"""
_SELECT_PORTFOLIO: Final = """
SELECT test_id, balance, equity, last_candle_time, step FROM portfolios WHERE test_id = ?
"""
_SELECT_EQUITY: Final = """
SELECT time, equity FROM equity_marks WHERE test_id = ? AND time >= ? AND time < ? ORDER BY time
"""
_SELECT_EVENTS: Final = """
SELECT time, kind, details FROM events WHERE test_id = ?1 AND (?2 IS NULL OR kind = ?2)
ORDER BY time DESC, id DESC LIMIT ?3 OFFSET ?4
"""
_CURVE_TYPE: Final = np.dtype([("time", np.int64), ("equity", np.float64)])


class BookOperations(Operations):
    """Save and read the parts of a book one by one; `commit_step` stores them together."""

    async def save_position(self, test_id: int, position: Position) -> None:
        """Store an open position, in place of one with the same id."""
        row = position_row(test_id, position)
        await self._write(lambda connection: insert_position(connection, row))

    async def delete_position(self, test_id: int, position_id: int) -> None:
        """Forget an open position; one that isn't there stays so."""
        sql = "DELETE FROM positions WHERE test_id = ? AND position_id = ?"
        await self._write(statement(sql, test_id, position_id))

    async def get_open_positions(self, test_id: int) -> list[Position]:
        """Return the open positions of a test in opening order."""
        return await self._read(lambda connection: select_positions(connection, test_id))

    async def save_trade(self, test_id: int, trade: Trade, *, recovered: bool = False) -> None:
        """Store a closed trade once; repeating it changes nothing.

        Raises:
            RecordConflict: another trade of that id is stored.
        """
        row = trade_row(StoredTrade(test_id, trade, recovered))
        await self._write(lambda connection: insert_trade(connection, row))

    async def get_trades(
        self,
        test_id: int,
        limit: int | None = None,
        offset: int = 0,
        *,
        newest_first: bool = False,
    ) -> list[StoredTrade]:
        """Return trades of a test in the order of closing, or the other way round."""
        count = -1 if limit is None else limit
        return await self._read(
            lambda connection: select_trades(
                connection, test_id, count, offset, newest_first=newest_first
            )
        )

    async def count_trades(self, test_id: int) -> int:
        """Return how many trades of a test are stored."""
        sql = "SELECT count(*) FROM trades WHERE test_id = ?"
        return await self._read(
            lambda connection: int(connection.execute(sql, (test_id,)).fetchone()[0])
        )

    async def save_portfolio(
        self, test_id: int, *, balance: float, equity: float, last_candle_time: int | None
    ) -> None:
        """Store balance, equity and the open time of the last candle seen; the step stays."""
        time = None if last_candle_time is None else int(last_candle_time)
        await self._write(statement(SAVE_PORTFOLIO, test_id, float(balance), float(equity), time))

    async def get_portfolio(self, test_id: int) -> StoredPortfolio | None:
        """Return the book's figures, None before the first were stored."""

        def work(connection: sqlite3.Connection) -> StoredPortfolio | None:
            row = connection.execute(_SELECT_PORTFOLIO, (test_id,)).fetchone()
            return None if row is None else StoredPortfolio(*row)

        return await self._read(work)

    async def save_strategy_state(self, test_id: int, state: Mapping[str, Any]) -> None:
        """Store the snapshot of a test's engine, in place of the one before."""
        text = encode_json(dict(state), "the strategy's state")
        await self._write(statement(SAVE_STATE, test_id, text))

    async def get_strategy_state(self, test_id: int) -> dict[str, Any] | None:
        """Return the last snapshot of a test's engine, None before the first."""
        sql = "SELECT state FROM strategy_states WHERE test_id = ?"

        def work(connection: sqlite3.Connection) -> dict[str, Any] | None:
            row = connection.execute(sql, (test_id,)).fetchone()
            return None if row is None else decode_json(row["state"])

        return await self._read(work)

    async def save_equity_marks(self, test_id: int, marks: tuple[EquityMark, ...]) -> None:
        """Store equity at some times; one of the same time replaces the one before."""
        rows = [(test_id, int(mark.time), float(mark.equity)) for mark in marks]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(SAVE_EQUITY, rows)

        await self._write(work)

    async def get_equity_curve(
        self, test_id: int, *, since: int = 0, until: int = FOREVER_MS
    ) -> EquityCurve:
        """Return the equity marks from `since` (included) to `until` (excluded), by time."""

        def work(connection: sqlite3.Connection) -> EquityCurve:
            cursor = connection.execute(_SELECT_EQUITY, (test_id, since, until))
            cursor.row_factory = None  # plain tuples: a year has half a million marks
            table = np.fromiter(cursor, dtype=_CURVE_TYPE)
            return EquityCurve(table["time"].copy(), table["equity"].copy())

        return await self._read(work)

    async def save_event(self, test_id: int, event: ForwardEvent) -> None:
        """Store an event once; repeating it changes nothing."""
        await self._write(statement(SAVE_EVENT, test_id, *event_row(event)))

    async def get_events(
        self, test_id: int, *, kind: str | None = None, limit: int = 100, offset: int = 0
    ) -> list[ForwardEvent]:
        """Return events of a test, the newest first."""
        values = (test_id, kind, limit, offset)
        return await self._read(
            lambda connection: [
                ForwardEvent(row["time"], row["kind"], decode_json(row["details"]))
                for row in connection.execute(_SELECT_EVENTS, values)
            ]
        )


def event_row(event: ForwardEvent) -> tuple[int, str, str]:
    """Return time, kind and details of an event as they are stored."""
    return int(event.time), event.kind, encode_json(dict(event.details), f"event {event.kind}")
