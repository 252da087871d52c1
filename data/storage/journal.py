"""The audit of commands, which only grows, and the settings that the program keeps for itself."""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from data.storage.operations import Operations, decode_json, encode_json, statement
from data.storage.records import AuditEntry

_APPEND: Final = """
INSERT INTO audit (time, user_id, user_name, command, options, outcome) VALUES (?, ?, ?, ?, ?, ?)
"""
_SELECT: Final = "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
_AFTER_ALL: Final = 2**63 - 1


class JournalOperations(Operations):
    """Append to the audit and read it; keep values by key."""

    async def append_audit(
        self,
        *,
        user_id: int,
        user_name: str,
        command: str,
        options: Mapping[str, Any],
        outcome: str,
    ) -> None:
        """Note a command that somebody gave, and what became of it."""
        text = encode_json(dict(options), f"the options of {command}")
        await self._write(
            statement(_APPEND, self._clock(), user_id, user_name, command, text, outcome)
        )

    async def list_audit(
        self, limit: int = 50, *, before_id: int | None = None
    ) -> list[AuditEntry]:
        """Return entries of the audit, the newest first; `before_id` goes on from an entry."""
        values = (_AFTER_ALL if before_id is None else before_id, limit)
        return await self._read(
            lambda connection: [_to_entry(row) for row in connection.execute(_SELECT, values)]
        )

    async def set_setting(self, key: str, value: Any) -> None:
        """Keep a value, in place of the one before."""
        text = encode_json(value, f"setting {key}")
        await self._write(
            statement("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", key, text)
        )

    async def get_setting(self, key: str, default: Any = None) -> Any:
        """Return a value that was kept, or the default."""

        def work(connection: sqlite3.Connection) -> Any:
            row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
            return default if row is None else decode_json(row["value"])

        return await self._read(work)

    async def delete_setting(self, key: str) -> None:
        """Forget a value; one that isn't kept stays so."""
        await self._write(statement("DELETE FROM settings WHERE key = ?", key))


def _to_entry(row: sqlite3.Row) -> AuditEntry:
    return AuditEntry(**{**dict(row), "options": decode_json(row["options"])})
