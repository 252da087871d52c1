"""Whole processes from start to exit, as a person at a shell waits for them.

Imports the standard library only: a child's peak memory begins with its parent's.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.comparison import clean_environment
from tests.bench.measuring import EXCHANGE, SYMBOL, Context, Meter, WrongResult, timed, to_bytes

_COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "backtest": ("backtest", "--strategy", "ma_crossover", "--symbol", SYMBOL),
    "help": ("--help",),
}


@contextmanager
def ours(context: Context, option: str) -> Iterator[Meter]:
    """Run a command of `jesse` in an empty folder."""
    command = [str(Path(sys.executable).parent / "jesse"), *_COMMANDS[option]]
    settings = {"DATA_DIR": str(context.data_dir), "EXCHANGE": EXCHANGE}
    yield _meter(command, settings, context)


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Run a Python that does nothing."""
    yield _meter([sys.executable, "-c", "pass"], {}, context)


def _meter(command: Sequence[str], settings: Mapping[str, str], context: Context) -> Meter:
    peaks: list[int] = []

    def measure() -> Mapping[str, float]:
        with timed() as watch:
            usage = _run(command, settings, context.data_dir)
        peaks.append(to_bytes(usage.ru_maxrss))
        return {"time": watch.seconds, "processor": usage.ru_utime + usage.ru_stime}

    return Meter(measure, lambda: max(peaks))


def _run(
    command: Sequence[str], settings: Mapping[str, str], folder: Path
) -> "resource.struct_rusage":
    """Run to the end and return what it used."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**clean_environment(), **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WrongResult(f"{' '.join(command)} ended with {process.returncode}")
    return usage
