"""Errors as the shell shows them: one or two lines that say what to do, and an exit code."""

import sys
import tempfile
import traceback
from pathlib import Path

from bot.errors import BotError, InvalidInput, InvalidSettings
from data.errors import (
    DataError,
    InvalidImport,
    MissingCredentials,
    UnknownExchange,
    UnknownSymbol,
    UnsupportedRequest,
)
from engine.errors import EngineError, InvalidParams, InvalidRun, UnknownTimeframe

_BAD_INPUT = (
    InvalidInput,
    InvalidSettings,
    InvalidParams,
    InvalidRun,
    InvalidImport,
    MissingCredentials,
    UnknownTimeframe,
    UnknownSymbol,
    UnknownExchange,
    UnsupportedRequest,
)


def report_failure(error: Exception) -> int:
    """Print an error for a person and return 2 for bad input, 1 for everything else."""
    if isinstance(error, (BotError, DataError, EngineError)):
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, _BAD_INPUT) else 1
    path = _keep_traceback(error)
    print(
        f"error: unexpected {type(error).__name__}: {error}\nthe details are in {path}",
        file=sys.stderr,
    )
    return 1


def _keep_traceback(error: Exception) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", prefix="jesse-error-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return Path(file.name)
