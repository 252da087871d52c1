"""Makes what forward tests need, in order, for the bot and for the shell."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bot.services.forward.history import ForwardHistory
from bot.services.forward.service import ForwardService, ForwardWatcher
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.cache import CandleStore
from data.database import Database
from data.exchange import open_exchange
from data.historical import HistoricalDataProvider
from data.interest_record import InterestRecord, interest_folder
from data.live import LiveDataProvider, LiveInterest, OnAlert
from data.rate_limits import RateLimits
from data.retry import Timing
from data.streams.history import ExchangeHistory
from data.streams.interest_rest import ExchangeInterest
from data.venues.catalog import find_venue


@asynccontextmanager
async def open_forward(
    settings: Settings,
    database: Database,
    watcher: ForwardWatcher,
    *,
    on_alert: OnAlert | None = None,
    timing: Timing | None = None,
    limits: RateLimits | None = None,
) -> AsyncIterator[ForwardService]:
    """Open the exchange, its live streams and the service; all are closed in reverse order.

    `timing` is how waits and pauses pass; by default as the machine's clock does. `limits` are
    shared with others that ask the exchange.
    """
    store = CandleStore(settings.candles_dir)
    funding = settings.data_dir / "funding"
    interest = InterestRecord(interest_folder(settings.data_dir))
    exchange = settings.exchange_settings
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            HistoricalDataProvider(
                store,
                exchange,
                funding_root=funding,
                opener=partial(open_exchange, timing=timing, limits=limits),
            )
        )
        source = ExchangeInterest(provider, find_venue(settings.exchange))
        live = await stack.enter_async_context(
            LiveDataProvider(
                exchange,
                ExchangeHistory(provider),
                on_alert=on_alert,
                timing=timing,
                interest=LiveInterest(settings.exchange, source, interest),
            )
        )
        history = ForwardHistory(store, provider, settings.exchange, funding, interest)
        service = ForwardService(
            settings,
            database=database,
            library=StrategyLibrary(settings.strategies_folder),
            live=live,
            history=history,
            watcher=watcher,
        )
        yield await stack.enter_async_context(service)
