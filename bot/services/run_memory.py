"""What a process keeps between backtests: candles, funding, compiled strategies. Exact, bounded.

Everything is looked up by what the files are now; a run with it gives the same bits as without.
"""

from pathlib import Path
from typing import Final

from bot.services.strategies import StrategyLibrary
from data.cache import CandleStore, SeriesKey
from data.funding import FundingStore
from data.series_memory import HeldCandles, SeriesMemory

Funding = tuple[tuple[int, float], ...]

_KEPT_FUNDING: Final = 8


class RunMemory:
    """What one worker keeps; it begins empty."""

    def __init__(self) -> None:
        self._libraries: dict[Path, StrategyLibrary] = {}
        self._series: dict[Path, SeriesMemory] = {}
        self._funding: dict[tuple[Path, str, str], tuple[tuple[int, ...], Funding]] = {}

    def library(self, folder: Path) -> StrategyLibrary:
        """Return the strategies of a folder."""
        return self._libraries.setdefault(folder, StrategyLibrary(folder))

    def candles(
        self, data_dir: Path, key: SeriesKey, start: int | None, end: int | None
    ) -> HeldCandles:
        """Return a run's candles as the store has them now.

        Raises:
            NoCandles, StoreError: as `CandleStore.read`.
        """
        if data_dir not in self._series:
            store = CandleStore(data_dir / "candles")
            self._series[data_dir] = SeriesMemory(store, data_dir / "mapped")
        return self._series[data_dir].read(key, start, end)

    def funding(self, data_dir: Path, exchange: str, symbol: str) -> Funding:
        """Return the stored funding of a symbol: times (ms) and rates (fractions)."""
        place, store = (data_dir, exchange, symbol), FundingStore(data_dir / "funding")
        identity = store.identity(exchange, symbol)
        known = self._funding.get(place)
        if known is None or known[0] != identity:
            if len(self._funding) >= _KEPT_FUNDING:
                self._funding.clear()
            known = self._funding[place] = (identity, read_funding(store, exchange, symbol))
        return known[1]


def read_funding(store: FundingStore, exchange: str, symbol: str) -> Funding:
    """Return the stored funding of a symbol: times (ms) and rates (fractions)."""
    history = store.read(exchange, symbol)
    return tuple(zip(history.time.tolist(), history.rate.tolist(), strict=True))
