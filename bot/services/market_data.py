"""Market data as a use case: make sure that the cache holds what a run needs, or say what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bot.errors import InvalidInput
from bot.services.backtests import find_base_timeframe
from bot.settings import Settings
from bot.times import parse_period
from data.cache import CandleStore, Coverage, SeriesKey
from data.errors import ExchangeError, NoCandles
from data.rate_limits import RateLimits
from data.symbols import normalize_symbol
from engine.candles import format_time
from engine.strategy import Strategy
from engine.timeframe import DAY_MS, get_timeframe_ms

if TYPE_CHECKING:
    from data.fetch import FetchProgress, FetchSummary
    from data.historical import HistoricalDataProvider

DEFAULT_FETCH_YEARS: Final = 4
_FIRST_RUN_MS: Final = 365 * DAY_MS

OnFetch = Callable[["FetchProgress"], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Candles that are ready for a run: their timeframe and the asked period (ms, end excluded)."""

    timeframe: str
    start: int | None
    end: int | None
    fetched: "FetchSummary | None"


class MarketData:
    """Fetches, completes and describes cached candles of the configured exchange.

    Whatever asks the exchange at the same time keeps within its `limits` together.
    """

    def __init__(self, settings: Settings, store: CandleStore) -> None:
        self._settings = settings
        self.store = store
        self.limits = RateLimits()

    def key(self, symbol: str | None, timeframe: str = "1m") -> SeriesKey:
        """Return the series of a symbol as typed, on the configured exchange."""
        get_timeframe_ms(timeframe)
        exchange = self._settings.exchange
        return SeriesKey(
            exchange, normalize_symbol(symbol or self._settings.symbol, exchange), timeframe
        )

    def provider(self) -> "HistoricalDataProvider":
        """Return a provider; the exchange is contacted only when candles are missing."""
        from data.exchange import open_exchange
        from data.historical import HistoricalDataProvider

        return HistoricalDataProvider(
            self.store,
            self._settings.exchange_settings,
            funding_root=self._settings.data_dir / "funding",
            opener=partial(open_exchange, limits=self.limits),
        )

    async def fetch(
        self,
        key: SeriesKey,
        start: str | None,
        end: str | None,
        on_progress: OnFetch | None = None,
    ) -> "FetchSummary":
        """Fetch an asked period, or top the cache up (4 years where there is none)."""
        async with self.provider() as provider:
            if start is None and end is None:
                return await provider.top_up(
                    key, years=DEFAULT_FETCH_YEARS, on_progress=on_progress
                )
            now = await provider.now()
            start_ms, end_ms = parse_period(start, end, latest=now)
            if start_ms is None:
                coverage = self.store.coverage(key)
                start_ms = coverage.first if coverage else (end_ms or now) - _FIRST_RUN_MS
            return await provider.complete(
                key, start_ms, min(end_ms or now, now), on_progress=on_progress
            )

    async def prepare(
        self,
        strategy: type[Strategy],
        symbol: str,
        start: str | None,
        end: str | None,
        *,
        offline: bool = False,
        on_progress: OnFetch | None = None,
    ) -> Prepared:
        """Complete what a run needs from the exchange, or find it in the cache.

        Raises:
            NoCandles: offline, and the cache holds nothing.
            ExchangeError: the exchange is needed and can't be asked.
        """
        exchange = self._settings.exchange
        base = find_base_timeframe(self.store, exchange, symbol, strategy)
        key = SeriesKey(exchange, symbol, base or "1m")
        coverage = self.store.coverage(key)
        if coverage is None and offline:
            raise NoCandles(
                f"the cache has no {symbol} candles of {exchange}: fetch them with "
                f"jesse fetch-data --symbol {symbol}, or import files with jesse import-data"
            )
        # A length such as 90d counts back from the last candle, without one from the exchange's
        # time: this machine's clock may be wrong.
        latest = _after_last(key, coverage) if coverage else await self._exchange_time()
        start_ms, end_ms = parse_period(start, end, latest=latest)
        if offline and start_ms is not None and start_ms >= latest:
            raise NoCandles(
                f"the cache has no {symbol} candles from {format_time(start_ms)} on, it ends at "
                f"{format_time(latest)}: fetch them with jesse fetch-data --symbol {symbol}"
            )
        if offline or (coverage and start is None and end is None):
            return Prepared(key.timeframe, start_ms, end_ms, None)
        summary = await self._complete(key, coverage, start_ms, end_ms, on_progress)
        return Prepared(key.timeframe, start_ms, end_ms, summary)

    async def _complete(
        self,
        key: SeriesKey,
        coverage: Coverage | None,
        start: int | None,
        end: int | None,
        on_progress: OnFetch | None,
    ) -> "FetchSummary | None":
        is_covered = False
        if coverage:
            after_last = _after_last(key, coverage)
            start = coverage.first if start is None else start
            # A start behind the cache asks for what has come since.
            end = after_last if end is None and start < after_last else end
            is_covered = end is not None and coverage.first <= start and end <= after_last
            if end is not None and not self.store.missing_ranges(key, start, end):
                return None
        try:
            return await self._fetch_range(key, start, end, on_progress)
        except ExchangeError as error:
            if not is_covered:
                raise
            return _summary_of_holes(error)

    async def _exchange_time(self) -> int:
        async with self.provider() as provider:
            return await provider.now()

    async def _fetch_range(
        self, key: SeriesKey, start: int | None, end: int | None, on_progress: OnFetch | None
    ) -> "FetchSummary":
        async with self.provider() as provider:
            now = await provider.now()
            stop = now if end is None else min(end, now)
            first = stop - _FIRST_RUN_MS if start is None else start
            if first >= stop:
                raise InvalidInput("the asked period lies in the future: there are no candles yet")
            return await provider.complete(key, first, stop, on_progress=on_progress)


def _summary_of_holes(error: ExchangeError) -> "FetchSummary":
    """Say that a run goes on without the few minutes that only the exchange could add."""
    from data.fetch import FetchSummary

    return FetchSummary(
        notices=(f"gaps inside the cached candles could not be asked for: {error}",)
    )


def _after_last(key: SeriesKey, coverage: Coverage) -> int:
    return coverage.last + get_timeframe_ms(key.timeframe)
