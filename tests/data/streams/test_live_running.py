"""Live data with nothing moved by hand: real sleeping, and a market that runs fast."""

from functools import partial

from data.cache import CandleStore
from data.ccxt_client import ExchangeSettings
from data.exchange import open_exchange
from data.historical import HistoricalDataProvider
from data.live import ExchangeHistory, LiveDataProvider
from data.retry import RetryPolicy
from data.simulator.clock import SimulatorClock
from data.simulator.server import SimulatedExchange
from data.streams.history import as_candles
from engine.timeframe import MINUTE_MS

FIRST = 1_735_741_800_000


async def test_a_market_at_six_hundred_times_the_speed_is_followed_through_a_drop(
    tmp_path, recorder
):
    clock, listener = SimulatorClock(FIRST, speed=600.0), recorder()
    async with SimulatedExchange(seed=4, clock=clock, rate_limit=False) as exchange:
        settings = ExchangeSettings("simulated", rest_url=exchange.rest_url, ws_url=exchange.ws_url)
        opener = partial(open_exchange, policy=RetryPolicy(tries=2, first_s=0.05))
        async with (
            HistoricalDataProvider(
                CandleStore(tmp_path / "candles"), settings, opener=opener
            ) as provider,
            LiveDataProvider(settings, ExchangeHistory(provider)) as live,
        ):
            await live.subscribe_market("BTC/USDT", listener, ticks=True, after=FIRST - MINUTE_MS)
            await listener.candles(10)
            await exchange.set_faults(drop_sockets=True)
            await listener.up()
            candles = await listener.candles(listener.minutes[-1] + 10)
            (health,) = live.health()
            count = len(candles)
            series = await ExchangeHistory(provider).fetch(
                "BTC/USDT", FIRST, FIRST + count * MINUTE_MS
            )

    assert listener.minutes[:count] == list(range(count))
    assert candles == as_candles(series)
    assert (health.is_connected, health.reconnects, health.missing) == (True, 1, 0)
    times = [tick.time_ms for tick in listener.ticks]
    assert times == sorted(times)
