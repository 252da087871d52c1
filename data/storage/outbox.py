"""The outbox: messages that must be sent once, in order, however often the program dies."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from data.errors import UnknownRecord
from data.storage.operations import (
    Operations,
    decode_json,
    encode_json,
    require_changed,
)
from data.storage.records import NewMessage, OutboxMessage

FIRST_RETRY_MS: Final = 1_000
LONGEST_RETRY_MS: Final = 300_000

_INSERT: Final = """
INSERT INTO outbox (dedupe_key, kind, test_id, channel, payload, created_at, next_attempt_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (dedupe_key) DO NOTHING
"""
_PENDING: Final = "sent_at IS NULL AND abandoned_at IS NULL AND muted_at IS NULL"
# Behind a message that waits for its next attempt, its channel waits too: else an alert of a
# closed position could come before that of its opening.
_SELECT_DUE: Final = f"""
WITH waiting AS (
    SELECT channel, min(id) AS first_id FROM outbox
    WHERE {_PENDING} AND next_attempt_at > ?1
    GROUP BY channel
)
SELECT outbox.* FROM outbox LEFT JOIN waiting USING (channel)
WHERE {_PENDING} AND (first_id IS NULL OR id < first_id)
ORDER BY id LIMIT ?2
"""
_SELECT_NEXT_DUE: Final = f"""
SELECT min(next_attempt_at) FROM outbox
WHERE id IN (SELECT min(id) FROM outbox WHERE {_PENDING} GROUP BY channel)
"""
_COUNT_PENDING: Final = f"SELECT count(*) FROM outbox WHERE {_PENDING}"
_MARK_SENT: Final = """
UPDATE outbox SET sent_at = ?, attempts = attempts + 1, last_error = NULL
WHERE id = ? AND sent_at IS NULL
"""
_MARK_FAILED: Final = """
UPDATE outbox SET attempts = attempts + 1, next_attempt_at = ?, last_error = ? WHERE id = ?
"""
_RETRY_NOW: Final = """
UPDATE outbox SET next_attempt_at = ?
WHERE sent_at IS NULL AND abandoned_at IS NULL AND muted_at IS NULL AND next_attempt_at > ?
"""
_ABANDON: Final = """
UPDATE outbox SET attempts = attempts + 1, abandoned_at = ?, last_error = ? WHERE id = ?
"""
_MUTE: Final = f"UPDATE outbox SET muted_at = ?, last_error = ? WHERE id = ? AND {_PENDING}"
# While a test lives, its newest message of each kind stays: what is computed or told anew after
# a restart must still find its key.
_FORGET: Final = """
DELETE FROM outbox WHERE coalesce(sent_at, abandoned_at, muted_at) < ? AND id NOT IN (
    WITH newest AS (
        SELECT test_id, kind, outbox.channel AS channel, max(outbox.created_at) AS at
        FROM outbox JOIN forward_tests ON forward_tests.id = test_id
        WHERE forward_tests.status <> 'stopped'
        GROUP BY test_id, kind, outbox.channel
    )
    SELECT id FROM outbox JOIN newest USING (test_id, kind, channel) WHERE created_at >= at
)
"""


class OutboxOperations(Operations):
    """Put messages in, take those that are due, tell what became of them.

    One sender takes; a message that was sent but not marked when the process died is taken again.
    """

    async def append_message(self, message: NewMessage) -> bool:
        """Store a message to be sent; return False when one of its key was stored before."""
        row = message_row(message)
        now = self._clock()
        return await self._write(lambda connection: insert_message(connection, row, now))

    async def take_due_messages(self, limit: int = 20) -> list[OutboxMessage]:
        """Return what is to be sent now, oldest first; no message overtakes one of its channel.

        Send them in this order; after a failure leave out the rest of that channel.
        """
        values = (self._clock(), limit)
        return await self._read(
            lambda connection: [_to_message(row) for row in connection.execute(_SELECT_DUE, values)]
        )

    async def mark_message_sent(self, message_id: int) -> None:
        """Note that a message arrived; it is never taken again."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_MARK_SENT, (now, message_id)).rowcount == 0:
                _require_message(connection, message_id)

        await self._write(work)

    async def mark_message_failed(
        self, message_id: int, error: str, *, retry_after_ms: int | None = None
    ) -> int:
        """Note a failed attempt and return the time (ms) of the next.

        Without `retry_after_ms` the pause doubles from 1 s up to 5 min.
        """
        now = self._clock()

        def work(connection: sqlite3.Connection) -> int:
            attempts = _require_message(connection, message_id)
            pause = retry_pause_ms(attempts) if retry_after_ms is None else retry_after_ms
            connection.execute(_MARK_FAILED, (now + pause, error, message_id))
            return now + pause

        return await self._write(work)

    async def abandon_message(self, message_id: int, error: str) -> None:
        """Give up on a message that can never be sent; those behind it go on."""
        now = self._clock()

        def work(connection: sqlite3.Connection) -> None:
            cursor = connection.execute(_ABANDON, (now, error, message_id))
            require_changed(cursor, f"message {message_id} in the outbox")

        await self._write(work)

    async def mute_messages(self, message_ids: Iterable[int], reason: str) -> None:
        """Note that messages aren't to be sent; they stay on record, those behind them go on."""
        now = self._clock()
        rows = [(now, reason, message_id) for message_id in message_ids]
        await self._write(lambda connection: connection.executemany(_MUTE, rows))

    async def get_message(self, message_id: int) -> OutboxMessage | None:
        """Return a message, whatever became of it; None where it was forgotten."""
        sql = "SELECT * FROM outbox WHERE id = ?"

        def work(connection: sqlite3.Connection) -> OutboxMessage | None:
            row = connection.execute(sql, (message_id,)).fetchone()
            return None if row is None else _to_message(row)

        return await self._read(work)

    async def retry_messages_now(self) -> int:
        """Let what waits for its next attempt be taken at once; return how many that is."""
        now = self._clock()
        return await self._write(
            lambda connection: connection.execute(_RETRY_NOW, (now, now)).rowcount
        )

    async def next_message_due_at(self) -> int | None:
        """Return when the next message can be taken (ms, maybe past), None when none is pending."""
        return await self._read(
            lambda connection: _first_value(connection.execute(_SELECT_NEXT_DUE))
        )

    async def count_pending_messages(self) -> int:
        """Return how many messages are neither sent nor abandoned nor muted."""
        return await self._read(
            lambda connection: int(_first_value(connection.execute(_COUNT_PENDING)))
        )

    async def delete_sent_messages(self, *, before: int) -> int:
        """Forget messages sent, abandoned or muted before a time (ms), with their keys.

        Of a test that isn't stopped the newest of each kind stays. Returns how many went.
        """
        return await self._write(lambda connection: connection.execute(_FORGET, (before,)).rowcount)


def retry_pause_ms(attempts: int) -> int:
    """Return the pause before the next attempt after `attempts` earlier failures, in ms."""
    return min(FIRST_RETRY_MS << min(attempts, 20), LONGEST_RETRY_MS)


def message_row(message: NewMessage) -> tuple[Any, ...]:
    """Return the values of a message in the order of the table's columns, without its times."""
    return (
        message.dedupe_key,
        message.kind,
        message.test_id,
        message.channel,
        encode_json(dict(message.payload), f"message {message.dedupe_key}"),
    )


def insert_message(connection: sqlite3.Connection, row: tuple[Any, ...], now: int) -> bool:
    """Store a message that is due at once; return False when one of its key was stored before."""
    return connection.execute(_INSERT, (*row, now, now)).rowcount == 1


def _require_message(connection: sqlite3.Connection, message_id: int) -> int:
    cursor = connection.execute("SELECT attempts FROM outbox WHERE id = ?", (message_id,))
    row = cursor.fetchone()
    if row is None:
        raise UnknownRecord(f"there is no message {message_id} in the outbox")
    return int(row["attempts"])


def _first_value(cursor: sqlite3.Cursor) -> Any:
    return cursor.fetchone()[0]


def _to_message(row: sqlite3.Row) -> OutboxMessage:
    return OutboxMessage(**{**dict(row), "payload": decode_json(row["payload"])})
