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


class SecretFilter(logging.Filter):
    """Blots secrets out of messages and tracebacks, whoever wrote them there."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 4)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record that holds a secret; every record passes."""
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        text = record.getMessage()
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "[secret]")
                record.msg, record.args = text, None
            if record.exc_text and secret in record.exc_text:
                record.exc_text = record.exc_text.replace(secret, "[secret]")
                record.msg, record.args = f"{text}\n{record.exc_text}", None
                record.exc_info = record.exc_text = None
        return True


@contextlib.contextmanager
def logging_to(
    folder: Path | None,
    level: str,
    *,
    secrets: tuple[str, ...] = (),
    console: TextIO | None = None,
) -> Iterator[None]:
    """Log to the console and, where a folder is given, to `jesse.log` in it; undone at exit."""
    root = logging.getLogger()
    handlers: list[logging.Handler] = [logging.StreamHandler(console or sys.stderr)]
    handlers[0].setFormatter(ConsoleFormatter())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(
            folder / "jesse.log", maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )
        file.setFormatter(JsonFormatter())
        handlers.append(file)
    before = root.level
    root.setLevel(level)
    for handler in handlers:
        handler.addFilter(SecretFilter(secrets))
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
