"""The table of forward tests: what each one runs, and how it is doing."""

import sqlite3
from collections.abc import Collection
from typing import Final

from data.errors import RecordConflict
from data.storage.operations import Operations, decode_json, encode_json, require_changed
from data.storage.records import ForwardTest, ForwardTestStatus, NewForwardTest

_INSERT: Final = """
INSERT INTO forward_tests (name, strategy, params, symbol, exchange, config, status, created_at,
                           channel_id, thread_id, created_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO NOTHING
RETURNING *
"""
_SET_STATUS: Final = "UPDATE forward_tests SET status = ?, fault = ?, stopped_at = ? WHERE id = ?"


class ForwardTestOperations(Operations):
    """Create, find and change forward tests."""

    async def create_forward_test(self, new: NewForwardTest) -> ForwardTest:
        """Store a new forward test.

        Raises:
            RecordConflict: there is one of that name.
        """
        row = (
            new.name,
            new.strategy,
            encode_json(dict(new.params), f"the parameters of {new.name}"),
            new.symbol,
            new.exchange,
            encode_json(dict(new.config), f"the configuration of {new.name}"),
            new.status,
            self._clock(),
            new.channel_id,
            new.thread_id,
            new.created_by,
        )

        def work(connection: sqlite3.Connection) -> ForwardTest:
            stored = connection.execute(_INSERT, row).fetchone()
            if stored is None:
                raise RecordConflict(f"there is a forward test {new.name!r}: choose another name")
            return _to_forward_test(stored)

        return await self._write(work)

    async def get_forward_test(self, test_id: int) -> ForwardTest | None:
        """Return a forward test by its id, None when there is none."""
        return await self._find("SELECT * FROM forward_tests WHERE id = ?", test_id)

    async def find_forward_test(self, name: str) -> ForwardTest | None:
        """Return a forward test by its name, None when there is none."""
        return await self._find("SELECT * FROM forward_tests WHERE name = ?", name)

    async def list_forward_tests(
        self, statuses: Collection[ForwardTestStatus] = tuple(ForwardTestStatus)
    ) -> list[ForwardTest]:
        """Return the forward tests of some statuses, oldest first."""
        marks = ", ".join("?" * len(statuses))
        sql = f"SELECT * FROM forward_tests WHERE status IN ({marks}) ORDER BY id"
        wanted = tuple(statuses)
        return await self._read(
            lambda connection: [_to_forward_test(row) for row in connection.execute(sql, wanted)]
        )

    async def set_forward_test_status(
        self, test_id: int, status: ForwardTestStatus, *, fault: str | None = None
    ) -> None:
        """Change the status; `fault` says why it is faulted, and is None for every other status.

        The time of stopping is noted with `STOPPED` and forgotten with every other status.
        """
        stopped_at = self._clock() if status is ForwardTestStatus.STOPPED else None
        await self._change(test_id, _SET_STATUS, status, fault, stopped_at)

    async def set_started_market_time(self, test_id: int, time: int) -> None:
        """Note the market time (ms) from which on the test trades."""
        await self._change(
            test_id, "UPDATE forward_tests SET started_market_time = ? WHERE id = ?", time
        )

    async def set_forward_test_channel(
        self, test_id: int, *, channel_id: int | None, thread_id: int | None
    ) -> None:
        """Note where the test reports to."""
        await self._change(
            test_id,
            "UPDATE forward_tests SET channel_id = ?, thread_id = ? WHERE id = ?",
            channel_id,
            thread_id,
        )

    async def set_status_message(self, test_id: int, message_id: int | None) -> None:
        """Note the message that shows how the test is doing."""
        await self._change(
            test_id, "UPDATE forward_tests SET status_message_id = ? WHERE id = ?", message_id
        )

    async def _find(self, sql: str, key: int | str) -> ForwardTest | None:
        def work(connection: sqlite3.Connection) -> ForwardTest | None:
            row = connection.execute(sql, (key,)).fetchone()
            return None if row is None else _to_forward_test(row)

        return await self._read(work)

    async def _change(self, test_id: int, sql: str, *values: int | str | None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            require_changed(connection.execute(sql, (*values, test_id)), f"forward test {test_id}")

        await self._write(work)


def _to_forward_test(row: sqlite3.Row) -> ForwardTest:
    return ForwardTest(
        **{
            **dict(row),
            "params": decode_json(row["params"]),
            "config": decode_json(row["config"]),
            "status": ForwardTestStatus(row["status"]),
        }
    )
