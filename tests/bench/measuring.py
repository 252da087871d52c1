"""What the harness and the workloads share. Standard library only.

The process that starts the others imports this, and a child's peak memory begins with its parent's.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DAY_CANDLES: Final = 1440
FULL_DAYS: Final = 4 * 365
QUICK_DAYS: Final = 180
START_MS: Final = 1_609_459_200_000  # 2021-01-01
EXCHANGE: Final = "simulated"
SYMBOL: Final = "BTC/USDT"


class Skipped(Exception):
    """A workload can't be measured here; says what is missing."""


class WrongResult(Exception):
    """Both sides of a workload don't compute the same."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every side is told: the store (`data_dir`), how many days of 1m candles it holds."""

    data_dir: Path
    days: int
    is_quick: bool

    @property
    def candles(self) -> int:
        """How many 1m candles the store holds."""
        return self.days * DAY_CANDLES

    def to_json(self) -> str:
        """Return it as text for a command line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Context":
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"data_dir": Path(values["data_dir"])})


def own_peak() -> int:
    """Return this process's peak memory in bytes."""
    return to_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def to_bytes(ru_maxrss: int) -> int:
    """Return a peak in bytes: Linux counts it in KiB, macOS in bytes."""
    return ru_maxrss if sys.platform == "darwin" else ru_maxrss * 1024


@dataclass(frozen=True, slots=True)
class Meter:
    """One side, ready to be measured: `measure` gives figures by name, `peak` bytes."""

    measure: Callable[[], Mapping[str, float]]
    peak: Callable[[], int] = own_peak


Side = Callable[[Context, str], AbstractContextManager[Meter]]


class Stopwatch:
    """Holds what a `timed` block took: `seconds`, and seconds of processor time in this process.

    Without other programs both are the same for work in one thread; beside them only the second
    stays what it was.
    """

    seconds = 0.0
    processor_seconds = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Measure how long the block takes."""
    watch = Stopwatch()
    # What an earlier measurement left behind is neither this one's time nor its memory.
    gc.collect()
    begun, used = time.perf_counter(), time.process_time()
    yield watch
    watch.seconds = time.perf_counter() - begun
    watch.processor_seconds = time.process_time() - used


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that so many percent of the values don't exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]
