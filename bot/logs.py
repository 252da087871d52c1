"""Logging: one line a record, to the console and to a rotating file. Secrets never get in."""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, TextIO

_FILE_BYTES: Final = 5 * 1024 * 1024
_FILES_KEPT: Final = 5
_SHORTEST_SECRET: Final = 4
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class ConsoleFormatter(logging.Formatter):
    """Time, level, logger and message, then the record's own fields as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback where there is one."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{moment} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}"
        return line + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for the log file and machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, default=str)


class _Blotting(logging.Formatter):
    """Wraps a formatter and blots secrets out of what it wrote, tracebacks and fields included."""

    def __init__(self, inner: logging.Formatter, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def format(self, record: logging.LogRecord) -> str:
        """Return the inner formatter's line without any secret."""
        text = self._inner.format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


@contextlib.contextmanager
def logging_to(
    folder: Path | None,
    level: str,
    *,
    secrets: tuple[str, ...] = (),
    console: TextIO | None = None,
    console_level: str = "NOTSET",
) -> Iterator[None]:
    """Log to the console and, where a folder is given, to `jesse.log` in it; undone at exit.

    The console gets what is at least of `console_level`, of that what is of `level`.
    """
    root = logging.getLogger()
    handlers: list[logging.Handler] = [logging.StreamHandler(console or sys.stderr)]
    handlers[0].setFormatter(_Blotting(ConsoleFormatter(), secrets))
    handlers[0].setLevel(console_level)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "jesse.log"
        file = RotatingFileHandler(
            path, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )
        file.setFormatter(_Blotting(JsonFormatter(), secrets))
        handlers.append(file)
    before = root.level
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}
