"""Forward tests: start, stop, pause, resume, recover after a restart, report. No Discord here."""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from bot.errors import InvalidInput
from bot.services.forward.history import ForwardHistory
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.session import ForwardConfig, ForwardSession
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.database import Database
from data.errors import DataError, RecordConflict
from data.storage.records import (
    ForwardEvent,
    ForwardTest,
    ForwardTestStatus,
    NewForwardTest,
    StepRecord,
)
from data.streams.events import MarketListener
from data.symbols import normalize_symbol
from engine.candles import CandleSeries
from engine.errors import StrategyError
from engine.orders import Position
from engine.timeframe import MINUTE_MS, floor_to_timeframe

log = logging.getLogger(__name__)

ALIVE: Final = (ForwardTestStatus.RUNNING, ForwardTestStatus.PAUSED, ForwardTestStatus.FAULTED)
_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")
_RECOVERY_BLOCK: Final = 200


class LiveMarket(Protocol):
    """Live candles and ticks; `LiveDataProvider` is one."""

    async def now(self) -> int:
        """Return the exchange's time in ms."""

    async def subscribe_market(
        self,
        symbol: str,
        listener: MarketListener,
        *,
        ticks: bool = False,
        after: int | None = None,
    ) -> None:
        """Tell a listener each candle that opens later than `after`, and ticks."""

    async def unsubscribe_market(self, symbol: str, listener: MarketListener) -> None:
        """Tell a listener nothing more."""


class ForwardWatcher(Protocol):
    """Is told what forward tests do; must not raise."""

    def on_step(self, runner: ForwardRunner, record: StepRecord) -> None:
        """Note that a step was stored."""

    def on_fault(self, runner: ForwardRunner, reason: str) -> None:
        """Note that a test can't go on by itself."""

    def on_recovered(self, runner: ForwardRunner, away: "WhileAway") -> None:
        """Note that a test is back after a restart."""


@dataclass(frozen=True, slots=True)
class ForwardAsk:
    """A forward test as a user asked for it; None means default."""

    strategy: str
    symbol: str | None = None
    initial_balance: float | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    ticks: bool = True
    channel_id: int | None = None
    created_by: int | None = None


@dataclass(frozen=True, slots=True)
class WhileAway:
    """What a test made up for after a restart; times are candle open times (ms)."""

    first: int | None
    last: int | None
    candles: int
    trades: int


class ForwardService:
    """All forward tests of this process; at its end they rest, to be resumed at the next start."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        library: StrategyLibrary,
        live: LiveMarket,
        history: ForwardHistory,
        watcher: ForwardWatcher,
    ) -> None:
        self._settings = settings
        self._database = database
        self._library = library
        self._live = live
        self._history = history
        self._watcher = watcher
        self._runners: dict[int, ForwardRunner] = {}
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for runner in list(self._runners.values()):
            await self._detach(runner)

    async def recover(self) -> list[ForwardTest]:
        """Resume every test that was alive; return those that could not be."""
        left = []
        for test in await self._database.list_forward_tests(ALIVE):
            if test.exchange != self._settings.exchange:
                log.warning("%s runs on %s: not resumed", test.name, test.exchange)
                left.append(test)
                continue
            try:
                await self.attach(test)
            except (DataError, StrategyError, InvalidInput) as error:
                log.error("forward test %s can't be resumed: %s", test.name, error)
                await self._fault(test, str(error))
                left.append(test)
        return left

    async def start(self, ask: ForwardAsk, *, until: int | None = None) -> ForwardTest:
        """Create a test and let it trade from the candle that is forming now.

        Raises:
            InvalidInput: a name that can't be used, or is taken.
            StrategyError, InvalidRun: strategy or parameters are wrong.
            ExchangeError: the exchange can't be asked.
        """
        loaded = await asyncio.to_thread(self._library.load, ask.strategy)
        params = loaded.strategy.make_params(ask.params)
        symbol = normalize_symbol(ask.symbol or self._settings.symbol, self._settings.exchange)
        started_at = floor_to_timeframe(await self._live.now(), "1m")
        warm_up_from = await self._history.fetch_warm_up(symbol, loaded.strategy, started_at)
        config = ForwardConfig(
            warm_up_from=warm_up_from,
            started_at=started_at,
            initial_balance=ask.initial_balance or self._settings.initial_balance,
            fee_rate=self._settings.fee_rate,
            slippage_bps=self._settings.slippage_bps,
            max_leverage=self._settings.max_leverage,
            ticks=ask.ticks,
        )
        test = await self._create(ask, symbol, params.model_dump(mode="json"), config)
        await self._database.set_started_market_time(test.id, started_at)
        await self.attach(test, until=until)
        return test

    async def attach(self, test: ForwardTest, *, until: int | None = None) -> ForwardRunner:
        """Bring a stored test to life: its state, the candles it missed, then live data."""
        async with self._changing:
            if test.id in self._runners:
                return self._runners[test.id]
            runner, away = await self._revive(test, until)
            self._runners[test.id] = runner
            runner.start()
            last = runner.session.last_open_time
            await self._live.subscribe_market(
                test.symbol,
                runner,
                ticks=runner.session.config.ticks,
                after=runner.session.config.started_at - MINUTE_MS if last is None else last,
            )
        if away is not None:
            self._watcher.on_recovered(runner, away)
        return runner

    async def stop(self, name: str, *, close_positions: bool) -> ForwardTest:
        """End a test for good, with its positions closed at the market or left as they are."""
        test = await self.find(name)
        runner = self._runners.get(test.id)
        if runner is not None:
            if close_positions and not runner.fault:
                ids = [position.id for position in runner.session.engine.portfolio.positions]
                await self._close(runner, ids)
            await self._detach(runner)
        await self._database.set_forward_test_status(test.id, ForwardTestStatus.STOPPED)
        return await self.find(name)

    async def pause(self, name: str) -> ForwardTest:
        """Let a test open nothing new; what is open stays watched. Kept across restarts."""
        return await self._set_paused(name, paused=True)

    async def resume(self, name: str) -> ForwardTest:
        """Let a paused test trade again, or bring a faulted one back from its stored state."""
        test = await self.find(name)
        if test.status is ForwardTestStatus.STOPPED:
            raise InvalidInput(f"forward test {name} was stopped: start a new one")
        if test.status is ForwardTestStatus.FAULTED:
            runner = self._runners.get(test.id)
            if runner is not None:
                await self._detach(runner)
            await self._database.set_forward_test_status(test.id, ForwardTestStatus.RUNNING)
            await self.attach(await self.find(name))
            return await self.find(name)
        return await self._set_paused(name, paused=False)

    async def close_position(self, name: str, position_id: int) -> StepRecord:
        """Close one position at the market."""
        return await self._close(self.runner(await self.find(name)), [position_id])

    async def find(self, name: str) -> ForwardTest:
        """Return a test by name.

        Raises:
            InvalidInput: there is none; names those there are.
        """
        test = await self._database.find_forward_test(name)
        if test is None:
            names = ", ".join(t.name for t in await self._database.list_forward_tests())
            raise InvalidInput(f"there is no forward test {name!r}: there are {names or 'none'}")
        return test

    async def tests(self) -> list[ForwardTest]:
        """Return all tests, oldest first."""
        return await self._database.list_forward_tests()

    def runner(self, test: ForwardTest) -> ForwardRunner:
        """Return the runner of a test that is alive.

        Raises:
            InvalidInput: it isn't running in this process.
        """
        try:
            return self._runners[test.id]
        except KeyError:
            raise InvalidInput(f"forward test {test.name} is not running ({test.status})") from None

    def runners(self) -> list[ForwardRunner]:
        """Return the runners of all tests that are alive."""
        return [*self._runners.values()]

    def positions(self, test: ForwardTest) -> list[Position]:
        """Return the open positions of a running test."""
        return self.runner(test).session.engine.portfolio.positions

    async def detach(self, name: str) -> None:
        """Let a test rest without stopping it: it resumes at the next start."""
        runner = self._runners.get((await self.find(name)).id)
        if runner is not None:
            await self._detach(runner)

    async def _create(
        self, ask: ForwardAsk, symbol: str, params: Mapping[str, Any], config: ForwardConfig
    ) -> ForwardTest:
        name = ask.name or await self._free_name(ask.strategy)
        if not _NAME.match(name):
            raise InvalidInput(
                f"{name!r} can't be a test's name: use small letters, digits, - and _, up to 40"
            )
        new = NewForwardTest(
            name=name,
            strategy=ask.strategy,
            params=params,
            symbol=symbol,
            exchange=self._settings.exchange,
            config=config.to_json(),
            channel_id=ask.channel_id,
            created_by=ask.created_by,
        )
        try:
            return await self._database.create_forward_test(new)
        except RecordConflict as error:
            raise InvalidInput(str(error)) from error

    async def _free_name(self, strategy: str) -> str:
        taken = {test.name for test in await self._database.list_forward_tests()}
        base = strategy.lower()[:32]
        numbers = range(2, len(taken) + 3)
        return next(n for n in (base, *(f"{base}-{i}" for i in numbers)) if n not in taken)

    async def _revive(
        self, test: ForwardTest, until: int | None
    ) -> tuple[ForwardRunner, WhileAway | None]:
        loaded = await asyncio.to_thread(self._library.load, test.strategy)
        session = ForwardSession(test, loaded.strategy)
        config = session.config
        snapshot = await self._database.get_strategy_state(test.id)
        known = snapshot["last_open_time"] if snapshot else config.started_at - MINUTE_MS
        end = floor_to_timeframe(await self._live.now(), "1m")
        if until is not None:
            end = min(end, until)
        candles = await self._history.read(test.symbol, config.warm_up_from, end)
        past = candles.between(None, known + 1)
        if snapshot is None:
            await asyncio.to_thread(session.begin, past)
        else:
            portfolio = await self._database.get_portfolio(test.id)
            step = portfolio.step if portfolio else 0
            await asyncio.to_thread(session.resume, past, snapshot, step)
        if test.status is ForwardTestStatus.FAULTED:
            session.engine.rest()
        session.add_funding(self._history.funding(test.symbol, known + MINUTE_MS))
        runner = ForwardRunner(session, self._database, self._watcher, until=until)
        runner.fault = test.fault
        missed = candles.between(known + 1, None)
        away = await self._make_up(runner, missed, test) if snapshot else None
        return runner, away

    async def _make_up(
        self, runner: ForwardRunner, missed: CandleSeries, test: ForwardTest
    ) -> WhileAway | None:
        before = await self._database.count_trades(test.id)
        for first in range(0, len(missed), _RECOVERY_BLOCK):
            await runner.take(missed.part(first, min(first + _RECOVERY_BLOCK, len(missed))))
            await asyncio.sleep(0)
        if not len(missed):
            return WhileAway(None, None, 0, 0)
        first_open, last_open = int(missed.timestamp[0]), int(missed.timestamp[-1])
        trades = await self._database.count_trades(test.id) - before
        details = {"from": first_open, "to": last_open, "candles": len(missed), "trades": trades}
        await self._database.save_event(test.id, ForwardEvent(last_open, "recovered", details))
        return WhileAway(first_open, last_open, len(missed), trades)

    async def _set_paused(self, name: str, *, paused: bool) -> ForwardTest:
        test = await self.find(name)
        runner = self.runner(test)
        time = await self._live.now()
        await runner.order(lambda: runner.session.set_paused(paused, time))
        status = ForwardTestStatus.PAUSED if paused else ForwardTestStatus.RUNNING
        await self._database.set_forward_test_status(test.id, status)
        return await self.find(name)

    async def _close(self, runner: ForwardRunner, ids: list[int]) -> StepRecord:
        time = await self._live.now()
        return await runner.order(lambda: runner.session.close_positions(ids, time))

    async def _detach(self, runner: ForwardRunner) -> None:
        test = runner.session.test
        await self._live.unsubscribe_market(test.symbol, runner)
        await runner.stop()
        self._runners.pop(test.id, None)

    async def _fault(self, test: ForwardTest, reason: str) -> None:
        await self._database.set_forward_test_status(
            test.id, ForwardTestStatus.FAULTED, fault=reason
        )
