"""The other backtesters: what each needs, and how much of the bars its runs get. Nothing runs here.

Standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Peer:
    """Another backtester, named as its package is imported.

    `packages` are what pip installs, itself first. `slice_bars` says by crossover how many bars a
    run gets, all where it says nothing; a sliced run's time is scaled to all bars.
    """

    name: str
    packages: tuple[str, ...]
    slice_bars: Mapping[str, int] = field(default_factory=dict)
    crossovers: tuple[str, ...] = ("1h", "1m")
    oldest_python: tuple[int, int] = (3, 11)
    takes_minutes_only: bool = False

    @property
    def release(self) -> str:
        """Its name and version, to be read."""
        return self.packages[0].replace("==", " ")

    def base(self, crossover: str) -> str:
        """Return the timeframe of the bars that both sides of a workload get."""
        return "1m" if self.takes_minutes_only else crossover.removesuffix("-wake")


# The slices make a run take about 2 to 8 s of processor time, so that no start-up dominates it.
PEERS: Final[Mapping[str, Peer]] = {
    peer.name: peer
    for peer in (
        Peer(
            "backtesting",
            ("backtesting==0.6.6",),
            {"1m": 500_000, "1m-wake": 500_000},
            crossovers=("1h", "1m", "1m-wake"),
        ),
        Peer("vectorbt", ("vectorbt==1.2.0",), crossovers=("1h", "1m", "1m-wake")),
        Peer("jesse", ("jesse==3.5.3",), {"1m": 150_000}, takes_minutes_only=True),
        Peer(
            "nautilus_trader",
            # Its wrangler of bars can't read what pandas 3 shares between frames.
            ("nautilus_trader==1.231.0", "pandas==2.3.3"),
            {"1m": 70_000},
            oldest_python=(3, 12),
        ),
        Peer(
            "backtrader",
            # It asks for neither: NumPy reads the bars, and its users bring them in a frame.
            ("backtrader==1.9.78.123", "numpy==2.4.6", "pandas==2.3.3"),
            {"1m": 30_000},
        ),
        Peer("freqtrade", ("freqtrade==2026.9",), {"1m": 100_000}),
    )
}
