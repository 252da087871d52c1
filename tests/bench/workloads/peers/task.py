"""What every peer is given: bars, the numbers of the crossover, and the trades to come close to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from tests.bench.measuring import Context, WrongResult

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
FAST: Final = 50
SLOW: Final = 200
FEE_RATE: Final = 0.0005
STOP: Final = 0.02
TARGET: Final = 0.04
SIZE: Final = 0.95  # of what the account holds
BALANCE: Final = 10_000

# All peers close what we close but for a trade or two: one rounds a size or warms up longer,
# another counts the position that is open at the end, or pays fees out of its target.
_ODD_TRADES: Final = 2
_ODD_SHARE: Final = 0.05


class RunningPeer(Protocol):
    """A peer with its task: it can be run again and again."""

    def prepare(self) -> None:
        """Make what a run uses up; not measured."""

    def run(self) -> None:
        """Run the backtest; measured."""

    def closed_trades(self) -> int:
        """Return how many trades the last run closed."""


@dataclass(frozen=True, slots=True)
class Task:
    """The bars of a run; `trades` is how many our engine closes on them.

    `all_bars` is how many there are, of which these are the first.
    """

    crossover: str
    columns: "Mapping[str, np.ndarray[Any, Any]]"
    trades: int
    all_bars: int

    def __len__(self) -> int:
        return len(self.columns["timestamp"])

    @property
    def timeframe(self) -> str:
        """The timeframe at whose closes the strategy decides."""
        return self.crossover.removesuffix("-wake")

    def frame(self) -> Any:
        """Return the bars as a pandas frame, by the times in UTC at which they open.

        The times are bare: a zone makes vectorbt take them for objects, and a hundred times longer.
        """
        import pandas as pd

        times = pd.to_datetime(self.columns["timestamp"], unit="ms")
        return pd.DataFrame({name: self.columns[name] for name in COLUMNS[1:]}, index=times)

    def write(self, context: Context, peer: str) -> None:
        """Leave it for `read`."""
        numbers = {"trades": self.trades, "all_bars": self.all_bars}
        np.savez(_path(context, peer, self.crossover), **self.columns, **numbers)

    @classmethod
    def read(cls, context: Context, peer: str, crossover: str) -> "Task":
        """Return what `write` left."""
        values = dict(np.load(_path(context, peer, crossover)))
        trades, all_bars = int(values.pop("trades")), int(values.pop("all_bars"))
        return cls(crossover, values, trades, all_bars)


def check_trades(found: int, expected: int) -> None:
    """A comparison with a peer that trades something else would say nothing."""
    if abs(found - expected) > max(_ODD_TRADES, _ODD_SHARE * expected):
        raise WrongResult(f"the peer closed {found} trades, our engine {expected}")


def _path(context: Context, peer: str, crossover: str) -> Path:
    return context.data_dir / f"peer-{peer}-{crossover}.npz"
