"""What a process keeps between backtests: candles, funding, compiled strategies. Exact, bounded.

Everything is looked up by what the files are now; a run with it gives the same bits as without.
"""

from pathlib import Path
from typing import Final

from bot.services.strategies import StrategyLibrary
from data.cache import CandleStore, SeriesKey, sha256_of
from data.funding import FundingStore
from data.series_memory import HeldCandles, SeriesMemory
from engine.backtest import BacktestData

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
            known = self._funding[place] = (identity, _read_funding(store, exchange, symbol))
        return known[1]


def strategies_in(folder: Path, memory: RunMemory | None) -> StrategyLibrary:
    """Return the strategies of a folder: those that are kept, where anything is."""
    return StrategyLibrary(folder) if memory is None else memory.library(folder)


def read_data(
    data_dir: Path, key: SeriesKey, start: int | None, end: int | None, memory: RunMemory | None
) -> BacktestData:
    """Read the candles that open at start..end (ms, end excluded), and all funding.

    Raises:
        NoCandles, StoreError: as `CandleStore.read`.
    """
    if memory is not None:
        held = memory.candles(data_dir, key, start, end)
        funding = memory.funding(data_dir, key.exchange, key.symbol)
        return BacktestData(held.candles, held.sha256, held.volume_delta_source, funding)
    store = CandleStore(data_dir / "candles")
    candles = store.read(key, start, end)
    coverage = store.coverage(key)
    return BacktestData(
        candles=candles,
        sha256=sha256_of(candles),
        volume_delta_source=coverage.volume_delta_source if coverage else None,
        funding=_read_funding(FundingStore(data_dir / "funding"), key.exchange, key.symbol),
    )


def _read_funding(store: FundingStore, exchange: str, symbol: str) -> Funding:
    history = store.read(exchange, symbol)
    return tuple(zip(history.time.tolist(), history.rate.tolist(), strict=True))
