"""Live data against a simulated exchange: market time and sleeping are moved by hand."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from data.cache import CandleStore
from data.ccxt_client import ExchangeSettings
from data.exchange import open_exchange
from data.historical import HistoricalDataProvider
from data.live import ExchangeHistory, LiveDataProvider
from data.retry import RetryPolicy, Timing
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange
from data.streams.events import StreamDown, StreamUp
from data.streams.history import as_candles
from data.streams.policy import StreamPolicy
from engine.timeframe import MINUTE_MS

NOW = 1_735_741_830_250  # 2025-01-01 14:30:30.250
FIRST = 1_735_741_800_000  # 14:30:00
WAIT_S = 10.0

# Every wait has a length of its own, by which a test wakes it.
CHECK_S, GAP_GRACE_S, CONFIRM_S, RECONNECT_S, REFETCH_S = 7.0, 0.25, 11.0, 1.5, 2.5


class SteppedTiming:
    """Sleeps end when a test says so; chance is always the smallest."""

    def __init__(self):
        self.now_s = 1000.0
        self._sleepers = []  # (end, length, future)
        self._changed = asyncio.Event()

    def timing(self):
        return Timing(sleep=self._sleep, monotonic=lambda: self.now_s, random=lambda: 0.0)

    async def _sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        entry = (self.now_s + seconds, seconds, future)
        self._sleepers.append(entry)
        self._changed.set()
        try:
            await future
        finally:
            self._sleepers.remove(entry)

    async def asleep(self, seconds):
        """Wait until somebody sleeps for so long."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not self._asleep(seconds):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            asleep = sorted(length for _, length, _ in self._sleepers)
            raise AssertionError(f"nobody sleeps for {seconds} s, but for {asleep}") from None

    async def wake(self, seconds):
        """Wait until somebody sleeps for so long, and end all such sleeps."""
        await self.asleep(seconds)
        for future in self._asleep(seconds):
            future.set_result(None)

    def _asleep(self, seconds):
        return [f for _, length, f in self._sleepers if length == seconds and not f.done()]

    async def advance(self, seconds):
        """Let time pass, end the sleeps that are over."""
        self.now_s += seconds
        for end, _, future in self._sleepers:
            if end <= self.now_s and not future.done():
                future.set_result(None)


class Recorder:
    """A listener that remembers everything, and can be waited for."""

    def __init__(self):
        self.arrived, self.ticks, self.outages, self.failures = [], [], [], []
        self.revisions = []
        self._changed = asyncio.Event()

    def on_candle(self, event):
        self.arrived.append(event)
        self._changed.set()

    def on_tick(self, tick):
        self.ticks.append(tick)
        self._changed.set()

    def on_outage(self, event):
        self.outages.append(event)
        self._changed.set()

    def on_revision(self, event):
        self.revisions.append(event)
        self._changed.set()

    def on_failure(self, event):
        self.failures.append(event)
        self._changed.set()

    async def until(self, is_true):
        async with asyncio.timeout(WAIT_S):
            while not is_true():
                self._changed.clear()
                await self._changed.wait()

    async def candles(self, count):
        """Wait for so many candles and return all that came."""
        await self.until(lambda: len(self.arrived) >= count)
        return [event.candle for event in self.arrived]

    async def down(self, count=1):
        await self.until(lambda: sum(isinstance(e, StreamDown) for e in self.outages) >= count)

    async def up(self, count=1):
        await self.until(lambda: sum(isinstance(e, StreamUp) for e in self.outages) >= count)

    @property
    def backfilled(self):
        """The minutes, counted from the first, that came over REST."""
        return [(e.candle.timestamp - FIRST) // MINUTE_MS for e in self.arrived if e.backfilled]

    @property
    def minutes(self):
        return [(e.candle.timestamp - FIRST) // MINUTE_MS for e in self.arrived]


class Market:
    """A simulated exchange, its clock, and live data from it."""

    def __init__(self, clock, exchange, timing, history, live, alerts, failures):
        self.clock, self.exchange, self.timing = clock, exchange, timing
        self.history, self.live = history, live
        self.alerts, self.failures = alerts, failures

    async def pass_minutes(self, count):
        """Let market time pass; frames are sent meanwhile."""
        await self.clock.advance_to(self.clock.now_ms() + count * MINUTE_MS)

    async def until_subscribed(self, channels):
        """Wait until the exchange knows these channels, and the client knows that it does."""
        async with asyncio.timeout(WAIT_S):
            while sorted(self._subscribed()) != sorted(channels):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)
            while not all(health.is_connected for health in self.live.health()):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    def _subscribed(self):
        return [channel for socket in self.exchange.state()["sockets"] for channel in socket]

    async def rest_candles(self, first, count):
        """Return the exchange's own candles: minutes counted from the first."""
        start = FIRST + first * MINUTE_MS
        series = await self.history.fetch("BTC/USDT", start, start + count * MINUTE_MS)
        return as_candles(series)


@pytest.fixture
def recorder():
    return Recorder


@pytest.fixture
def stepped_timing():
    return SteppedTiming()


@pytest.fixture
def test_policy():
    """Short waits of different lengths; nothing times out by itself."""
    return StreamPolicy(
        check_s=CHECK_S,
        gap_grace_s=GAP_GRACE_S,
        confirm_s=CONFIRM_S,
        confirm_tries=3,
        dead_after_s=1e9,
        reconnect=RetryPolicy(first_s=2 * RECONNECT_S, longest_s=96.0),
        refetch=RetryPolicy(first_s=2 * REFETCH_S, longest_s=160.0),
    )


@pytest.fixture
def open_market(tmp_path, stepped_timing, test_policy):
    """Open live data of a simulated exchange."""

    @asynccontextmanager
    async def opened(policy=test_policy, venue=None, **options):
        clock = SteppedClock(NOW)
        options = {"seed": 4, "kline_updates": False, "rate_limit": False, **options}
        alerts, failures = [], []
        async with SimulatedExchange(clock=clock, **options) as exchange:
            settings = ExchangeSettings(
                "simulated", rest_url=exchange.rest_url, ws_url=exchange.ws_url
            )
            opener = partial(open_exchange, policy=RetryPolicy(tries=1))
            store = CandleStore(tmp_path / "candles")
            async with HistoricalDataProvider(store, settings, opener=opener) as provider:
                history = ExchangeHistory(provider)
                async with LiveDataProvider(
                    settings,
                    history,
                    on_alert=alerts.append,
                    on_failure=failures.append,
                    timing=stepped_timing.timing(),
                    policy=policy,
                    venue=venue,
                ) as live:
                    yield Market(clock, exchange, stepped_timing, history, live, alerts, failures)

    return opened


@pytest.fixture
async def market(open_market):
    async with open_market() as opened:
        yield opened


@pytest.fixture
async def listener(market):
    """A listener of BTC whose stream is open, the clock at 14:30:30."""
    recorder = Recorder()
    await market.live.subscribe_market("BTC/USDT", recorder)
    await market.until_subscribed(["btcusdt@kline_1m"])
    return recorder
