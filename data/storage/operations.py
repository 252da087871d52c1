"""What every group of operations builds on: running SQL somewhere, the clock, JSON texts."""

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from data.errors import UnknownRecord, UnstorableValue
from data.storage.worker import Result, Work

Clock = Callable[[], int]


class Operations(ABC):
    """Runs functions that hold SQL, alone or inside a transaction; `clock` tells ms UTC."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @abstractmethod
    async def _read(self, work: Work[Result]) -> Result:
        """Run a function that only reads."""

    @abstractmethod
    async def _write(self, work: Work[Result], *, is_quiet: Work[bool] | None = None) -> Result:
        """Run a function that writes, whole or not at all; a quiet one may die with the machine."""


def encode_json(value: Any, what: str) -> str:
    """Return a value as JSON text.

    Raises:
        UnstorableValue: it has no such text; the message names `what` it is.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnstorableValue(
            f"{what} can't be stored: {error}; use dictionaries with text keys, lists, text, "
            "int, float, bool and None"
        ) from error


def decode_json(text: str | None) -> Any:
    """Return the value of a JSON text, None for none."""
    return None if text is None else json.loads(text)


def statement(sql: str, *values: Any) -> Work[None]:
    """Return the work of running one statement."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(sql, values)

    return work


def require_changed(cursor: sqlite3.Cursor, what: str) -> None:
    """Raise `UnknownRecord` when a statement found nothing to change."""
    if cursor.rowcount == 0:
        raise UnknownRecord(f"there is no {what}")
