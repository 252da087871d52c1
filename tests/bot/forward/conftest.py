"""The whole bot between a sandbox Discord and a simulated exchange that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.sandbox.permissions import Permission
from bot.settings import Settings
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange

DAY_MS = 86_400_000
MINUTE_MS = 60_000
START = 1_704_067_200_000

# Opens at every second close and closes at the others: trades whenever the market moves on.
EAGER = '''"""A strategy for tests."""

from engine import Field, Signal, Strategy, StrategyParams


class Eager(Strategy):
    """Open at every other close, close at the rest."""

    timeframes = ("1m",)

    class Params(StrategyParams):
        """How far away stop and target are."""

        distance: float = Field(20.0, gt=0, le=50, description="distance of stop and target, %")
        hold: bool = Field(False, description="open once and never close")
        fails: bool = Field(False, description="raise at the third close")

    def on_init(self, data):
        self.calls = 0

    def get_state(self):
        return {"calls": self.calls}

    def set_state(self, state):
        self.calls = state["calls"]

    def on_candle(self, data, portfolio):
        self.calls += 1
        if self.params.fails and self.calls >= 3:
            raise ValueError("out of ideas")
        if portfolio.has_position:
            return [] if self.params.hold else [Signal.close()]
        price, away = data["1m"].latest.close, self.params.distance / 100
        return [
            Signal.open_long(
                50.0, stop_loss=price * (1 - away), take_profit=price * (1 + away)
            )
        ]
'''


@pytest.fixture
def market_clock() -> SteppedClock:
    return SteppedClock(START + 60 * DAY_MS + 30_500)


@pytest.fixture
async def exchange(market_clock) -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(
        seed=7, clock=market_clock, rate_limit=False, kline_updates=False
    ) as simulated:
        yield simulated


@pytest.fixture
def settings(settings: Settings, exchange, tmp_path: Path) -> Settings:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "eager.py").write_text(EAGER)
    return settings.model_copy(
        update={
            "exchange_rest_url": exchange.rest_url,
            "exchange_ws_url": exchange.ws_url,
            "strategies_dir": folder,
        }
    )


@pytest.fixture(autouse=True)
def pins_allowed(sandbox):
    sandbox.allow_bot("research", Permission.PIN_MESSAGES)


class Desk:
    """A bot with forward tests, and the market that it trades."""

    def __init__(self, bench, clock):
        self.bench = bench
        self.sandbox = bench.sandbox
        self.app = bench.app
        self.desk = bench.app.forward.desk
        self.clock = clock

    def user(self, name):
        return self.bench.user(name)

    @property
    def channel(self):
        return self.bench.channel

    def thread(self, name):
        [found] = [t for t in self.channel.threads if t.channel.name.startswith(f"{name} ·")]
        return found

    async def start(self, name="one", user="operator", **options):
        given = {"strategy": "eager", "symbol": "BTC/USDT", "name": name, **options}
        return await (await self.user(user).slash("forward start", **given)).finished()

    async def minutes(self, count):
        """Move the market on, until every running test has stored the last closed candle."""
        now = self.clock.now_ms()
        until = (now // MINUTE_MS + count) * MINUTE_MS
        await self.clock.advance_to(until + 2_000)
        await self.caught_up(until - MINUTE_MS)

    async def caught_up(self, last_open):
        async def stored():
            for runner in self.desk.runners():
                portfolio = await self.desk.database.get_portfolio(runner.session.test.id)
                seen = portfolio.last_candle_time if portfolio else 0
                if not runner.fault and (seen or 0) < last_open:
                    return False
            return True

        await until(stored)

    async def sent(self):
        """Wait until the outbox is empty."""

        async def empty():
            return not await self.desk.database.count_pending_messages()

        await until(empty)

    async def look_after_tests(self):
        await self.desk.look_after(self.desk.service)

    async def trades(self, name="one"):
        test = await self.desk.database.find_forward_test(name)
        return await self.desk.database.get_trades(test.id)


@pytest.fixture
def trading(running, market_clock):
    """Run a bot whose forward tests are up; each use is a new process as far as it knows."""

    @asynccontextmanager
    async def run(**changes):
        async with running(**changes) as bench:
            desk = Desk(bench, market_clock)
            await until(lambda: _is_up(desk.desk))
            yield desk

    return run


async def until(predicate):
    """Wait for what no event tells of; a minute is far more than it takes."""
    async with asyncio.timeout(60):
        while not await predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _is_up(desk):
    if desk._service is None:
        return False
    alive = {t.id for t in await desk.database.list_forward_tests(("running", "paused"))}
    return alive <= {runner.session.test.id for runner in desk.runners()}


@pytest.fixture
async def floor(trading) -> AsyncIterator[Desk]:
    async with trading() as value:
        yield value
