"""Topping up cached candles of the symbols in use, and which symbols those are. No Discord here."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Final

from bot.errors import BotError
from bot.services.market_data import MarketData
from bot.services.own_loop import run_apart
from bot.services.scheduled.records import KeyValues
from bot.settings import Settings
from data.database import Database
from data.errors import DataError, ExchangeUnavailable, MissingCredentials, UnsupportedRequest
from data.series_key import SeriesKey
from data.storage.records import ForwardTestStatus
from data.symbols import normalize_symbol
from engine.timeframe import DAY_MS

log = logging.getLogger(__name__)

RECENT_MS: Final = 30 * DAY_MS
_RECENT_JOBS: Final = 500
_KEPT: Final = "refresh:kept"
_TRADING: Final = (ForwardTestStatus.RUNNING, ForwardTestStatus.PAUSED, ForwardTestStatus.FAULTED)
_HOPELESS: Final = (ExchangeUnavailable, MissingCredentials)


class RefreshFailed(BotError):
    """Some series could not be topped up; names each and says why."""


class KeptSymbols:
    """Symbols of an exchange whose candles are topped up until somebody says otherwise."""

    def __init__(self, values: KeyValues, exchange: str) -> None:
        self._values = values
        self._exchange = exchange
        self._turn = asyncio.Lock()

    async def all(self) -> tuple[str, ...]:
        """Return the symbols, sorted."""
        kept = await self._values.get_setting(_KEPT, {})
        return tuple(kept.get(self._exchange, ()))

    async def set(self, symbol: str, *, is_kept: bool) -> str:
        """Keep a symbol fresh from now on, or no longer; return it as the exchange spells it."""
        symbol = normalize_symbol(symbol, self._exchange)
        async with self._turn:
            kept = await self._values.get_setting(_KEPT, {})
            symbols = set(kept.get(self._exchange, ())) - {symbol}
            kept[self._exchange] = sorted(symbols | {symbol} if is_kept else symbols)
            await self._values.set_setting(_KEPT, kept)
        return symbol


async def symbols_in_use(settings: Settings, database: Database, *, now: int) -> frozenset[str]:
    """Return the symbols whose candles should be fresh, on the configured exchange.

    These are the default one, those of forward tests that are alive, those of backtests and
    fetches within 30 days of `now` (ms), and those that were asked to be kept.
    """
    exchange = settings.exchange
    tests = await database.list_forward_tests(_TRADING)
    jobs = await database.list_jobs(_RECENT_JOBS)
    asked = (job.request.get("symbol") for job in jobs if job.created_at >= now - RECENT_MS)
    found = {normalize_symbol(symbol, exchange) for symbol in asked if symbol}
    found |= {test.symbol for test in tests if test.exchange == exchange}
    kept = await KeptSymbols(database, exchange).all()
    return frozenset(found | {*kept, normalize_symbol(settings.symbol, exchange)})


async def refresh_candles(market: MarketData, exchange: str, symbols: Iterable[str]) -> str:
    """Fetch what has come since the last candle of each cached series; return what was done.

    Raises:
        ExchangeError: the exchange can't be asked at all.
        RefreshFailed: some series could not be topped up; the others were.
    """
    wanted = frozenset(symbols)
    stored = await asyncio.to_thread(market.store.series)
    keys = [key for key in stored if key.exchange == exchange and key.symbol in wanted]
    if not keys:
        return "nothing to do: no candles of the symbols in use are cached"
    fetched, failures = await run_apart(partial(_top_up, market, keys))
    done = f"{fetched:,} new candles in {len(keys) - len(failures):,} series"
    if failures:
        raise RefreshFailed(f"{done}, but {'; '.join(failures)}")
    return done


async def _top_up(market: MarketData, keys: list[SeriesKey]) -> tuple[int, list[str]]:
    fetched, failures = 0, []
    async with market.provider() as provider:
        for key in keys:
            try:
                fetched += (await provider.top_up(key)).fetched
            except UnsupportedRequest as error:
                # Imported at a timeframe that the exchange doesn't have.
                log.debug("%s is not refreshed: %s", key, error)
            except _HOPELESS:
                raise
            except DataError as error:
                failures.append(f"{key.symbol} {key.timeframe}: {error}")
    return fetched, failures
