"""Positions and trades as rows: the SQL and the translation both ways. Runs on any connection."""

import sqlite3
from typing import Any, Final

from data.errors import RecordConflict
from data.storage.records import StoredTrade
from engine.orders import ExitReason, Position, Side, Trade

Row = tuple[Any, ...]

_POSITION_COLUMNS: Final = """
test_id, position_id, side, entry_time, entry_price, size, size_usd, entry_fee, entry_slippage,
stop_loss, take_profit
"""
_SELECT_POSITIONS: Final = (
    f"SELECT {_POSITION_COLUMNS} FROM positions WHERE test_id = ? ORDER BY position_id"
)
_TRADE_COLUMNS: Final = """
test_id, trade_id, side, entry_time, entry_price, exit_time, exit_price, size, size_usd, pnl,
pnl_percent, fees, exit_reason, ambiguous, slippage, stop_loss, take_profit, recovered
"""
_SAVE_TRADE: Final = f"""
INSERT INTO trades ({_TRADE_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (test_id, trade_id) DO NOTHING
"""
_SELECT_TRADE: Final = f"SELECT {_TRADE_COLUMNS} FROM trades WHERE test_id = ? AND trade_id = ?"
_SELECT_TRADES: Final = f"SELECT {_TRADE_COLUMNS} FROM trades WHERE test_id = ? ORDER BY id"

_SAVE_POSITION: Final = f"""
INSERT OR REPLACE INTO positions ({_POSITION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def position_row(test_id: int, position: Position) -> Row:
    """Return the values of a position in the order of the table's columns."""
    return (
        test_id,
        position.id,
        position.side.value,
        int(position.entry_time),
        float(position.entry_price),
        float(position.size),
        float(position.size_usd),
        float(position.entry_fee),
        float(position.entry_slippage),
        _optional(position.stop_loss),
        _optional(position.take_profit),
    )


def trade_row(stored: StoredTrade) -> Row:
    """Return the values of a trade in the order of the table's columns."""
    trade = stored.trade
    return (
        stored.test_id,
        trade.id,
        trade.side.value,
        int(trade.entry_time),
        float(trade.entry_price),
        int(trade.exit_time),
        float(trade.exit_price),
        float(trade.size),
        float(trade.size_usd),
        float(trade.pnl),
        float(trade.pnl_percent),
        float(trade.fees),
        trade.exit_reason.value,
        int(trade.ambiguous),
        float(trade.slippage),
        _optional(trade.stop_loss),
        _optional(trade.take_profit),
        int(stored.recovered),
    )


def to_position(row: sqlite3.Row) -> Position:
    """Return the position of a row."""
    values = dict(row)
    del values["test_id"]
    values |= {"id": values.pop("position_id"), "side": Side(values["side"])}
    return Position(**values)


def to_trade(row: sqlite3.Row) -> StoredTrade:
    """Return the trade of a row."""
    values = dict(row)
    test_id, recovered = values.pop("test_id"), bool(values.pop("recovered"))
    values |= {
        "id": values.pop("trade_id"),
        "side": Side(values["side"]),
        "exit_reason": ExitReason(values["exit_reason"]),
        "ambiguous": bool(values["ambiguous"]),
    }
    return StoredTrade(test_id, Trade(**values), recovered)


def insert_position(connection: sqlite3.Connection, row: Row) -> None:
    """Store a position, in place of one with the same id."""
    connection.execute(_SAVE_POSITION, row)


def insert_trade(connection: sqlite3.Connection, row: Row) -> None:
    """Store a trade once; repeating it changes nothing.

    Raises:
        RecordConflict: another trade of that id is stored.
    """
    if connection.execute(_SAVE_TRADE, row).rowcount:
        return
    stored = trade_row(to_trade(connection.execute(_SELECT_TRADE, row[:2]).fetchone()))
    if stored[:-1] != row[:-1]:  # whether it was recovered stays as it was first told
        raise RecordConflict(
            f"trade {row[1]} of forward test {row[0]} is stored with other values: "
            f"{stored[2:-1]}, now {row[2:-1]}"
        )


def select_positions(connection: sqlite3.Connection, test_id: int) -> list[Position]:
    """Return the open positions of a test in opening order."""
    return [to_position(row) for row in connection.execute(_SELECT_POSITIONS, (test_id,))]


def select_position_rows(connection: sqlite3.Connection, test_id: int) -> tuple[Row, ...]:
    """Return the open positions of a test as rows, in opening order; see `position_row`."""
    return tuple(map(tuple, connection.execute(_SELECT_POSITIONS, (test_id,))))


def select_trades(
    connection: sqlite3.Connection, test_id: int, limit: int, offset: int, *, newest_first: bool
) -> list[StoredTrade]:
    """Return trades of a test in the order of closing; a negative limit is none."""
    sql = f"{_SELECT_TRADES} {'DESC' if newest_first else 'ASC'} LIMIT ? OFFSET ?"
    return [to_trade(row) for row in connection.execute(sql, (test_id, limit, offset))]


def select_trade(connection: sqlite3.Connection, test_id: int, trade_id: int) -> StoredTrade | None:
    """Return one trade of a test, None where it isn't stored."""
    row = connection.execute(_SELECT_TRADE, (test_id, trade_id)).fetchone()
    return None if row is None else to_trade(row)


def replace_positions(connection: sqlite3.Connection, test_id: int, rows: tuple[Row, ...]) -> None:
    """Make these the open positions of a test, and no others."""
    connection.execute("DELETE FROM positions WHERE test_id = ?", (test_id,))
    connection.executemany(_SAVE_POSITION, rows)


def _optional(price: float | None) -> float | None:
    return None if price is None else float(price)
