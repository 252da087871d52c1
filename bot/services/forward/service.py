"""Forward tests: start, stop, pause, resume, recover after a restart, report. No Discord here."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Self

from bot.errors import BotError, InvalidInput
from bot.services.forward.founding import Founder
from bot.services.forward.history import ForwardHistory
from bot.services.forward.ports import ForwardAsk as ForwardAsk
from bot.services.forward.ports import ForwardWatcher as ForwardWatcher
from bot.services.forward.ports import LiveMarket as LiveMarket
from bot.services.forward.revival import Reviver
from bot.services.forward.revival import WhileAway as WhileAway
from bot.services.forward.runner import ForwardRunner
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.database import Database
from data.errors import DataError, ExchangeUnavailable, StoreError
from data.storage.records import (
    ForwardTest,
    ForwardTestStatus,
    StepRecord,
)
from engine.candles import CandleSeries
from engine.errors import EngineError, StrategyFailed
from engine.orders import Position
from engine.timeframe import MINUTE_MS

log = logging.getLogger(__name__)

ALIVE: Final = (ForwardTestStatus.RUNNING, ForwardTestStatus.PAUSED, ForwardTestStatus.FAULTED)


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
        self._live = live
        self._history = history
        self._watcher = watcher
        self._founder = Founder(settings, database, library, live, history)
        self._reviver = Reviver(database, library, history, watcher)
        self._runners: dict[int, ForwardRunner] = {}
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # Nothing is unsubscribed: whoever opened the live data closes it whole.
        for runner in self._runners.values():
            await runner.stop()
        self._runners.clear()

    async def recover(self) -> list[ForwardTest]:
        """Resume every test that was alive; return those that could not be.

        One whose strategy is broken is resumed, too: at rest, its positions watched.
        """
        left = []
        for test in await self._database.list_forward_tests(ALIVE):
            if test.exchange != self._settings.exchange:
                log.warning("%s runs on %s: not resumed", test.name, test.exchange)
                left.append(test)
                continue
            try:
                await self.attach(test)
            except (ExchangeUnavailable, StoreError) as error:
                log.warning("forward test %s can't be resumed now: %s", test.name, error)
                left.append(test)
            except (DataError, EngineError, BotError) as error:
                log.error("forward test %s can't be resumed: %s", test.name, error)
                await self._fault(test, str(error))
                left.append(test)
        return left

    async def start(self, ask: ForwardAsk, *, until: int | None = None) -> ForwardTest:
        """Create a test and let it trade from the candle that is forming now.

        Raises:
            InvalidInput: a name that can't be used, or is taken; an end that has passed.
            StrategyError, InvalidRun: strategy, parameters or balance are wrong.
            ExchangeError: the exchange can't be asked.
        """
        test = await self._founder.found(ask, until=until)
        await self.attach(test, until=until)
        return await self.find(test.name)

    async def attach(self, test: ForwardTest, *, until: int | None = None) -> ForwardRunner:
        """Bring a stored test to life: its state, the candles it missed, then live data.

        A test that is alive is returned as it is. One whose strategy can't be loaded or called
        comes at rest: its runner's `fault` says why.
        """
        async with self._changing:
            known = self._runners.get(test.id)
            if known is not None and not known.is_interrupted:
                return known
            return await self._attach(test, until)

    async def stop(self, name: str, *, close_positions: bool) -> ForwardTest:
        """End a test for good, with its positions closed at the market or left as they are.

        Raises:
            InvalidInput: it was stopped before, or can't close anything now.
        """
        test = await self.find(name)
        if test.status is ForwardTestStatus.STOPPED:
            raise InvalidInput(f"forward test {name} was stopped already")
        if close_positions and await self._database.get_open_positions(test.id):
            await self._close(self.runner(test), None)
        async with self._changing:
            await self._detach(self._runners.get(test.id))
            await self._database.set_forward_test_status(test.id, ForwardTestStatus.STOPPED)
        return await self.find(name)

    async def pause(self, name: str) -> ForwardTest:
        """Let a test open nothing new; what is open stays watched. Kept across restarts.

        Raises:
            InvalidInput: it doesn't run.
        """
        test = await self.find(name)
        if test.status is not ForwardTestStatus.RUNNING:
            raise InvalidInput(
                f"forward test {name} is {test.status}: only a running one can pause"
            )
        return await self._set_paused(test, paused=True)

    async def resume(self, name: str, *, until: int | None = None) -> ForwardTest:
        """Let a paused test trade again, or bring a faulted one back from its stored state.

        One that was paused before its fault is paused again.

        Raises:
            InvalidInput: it was stopped, or runs already.
            StrategyFailed: its strategy still fails; the test stays at rest.
        """
        test = await self.find(name)
        runner = self._runners.get(test.id)
        if test.status is ForwardTestStatus.STOPPED:
            raise InvalidInput(f"forward test {name} was stopped: start a new one")
        if test.status is ForwardTestStatus.PAUSED and runner and not runner.fault:
            return await self._set_paused(test, paused=False)
        if test.status is ForwardTestStatus.RUNNING and runner and not runner.fault:
            raise InvalidInput(f"forward test {name} is running already")
        async with self._changing:
            await self._detach(self._runners.get(test.id))
            if test.status is ForwardTestStatus.FAULTED:
                running = ForwardTestStatus.RUNNING
                await self._database.set_forward_test_status(test.id, running)
            runner = await self._attach(await self.find(name), until)
        if runner.session.fault is not None:
            raise StrategyFailed(runner.session.fault)
        revived = await self.find(name)
        if test.status is ForwardTestStatus.PAUSED:
            return await self._set_paused(revived, paused=False)
        return revived

    async def close_position(self, name: str, position_id: int) -> StepRecord:
        """Close one position at the market.

        Raises:
            InvalidInput: the test isn't running.
            InvalidRun: no position of that id is open.
        """
        return await self._close(self.runner(await self.find(name)), [position_id])

    def check_same(self, test: ForwardTest, ask: ForwardAsk) -> None:
        """Refuse to take a stored test for another one that was asked for by its name.

        Raises:
            InvalidInput: it runs another strategy, symbol, balance or other parameters.
        """
        self._founder.check_same(test, ask)

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
        """Return the runners of all tests that are alive; one that is interrupted is not."""
        return [runner for runner in self._runners.values() if not runner.is_interrupted]

    def positions(self, test: ForwardTest) -> list[Position]:
        """Return the open positions of a running test."""
        return self.runner(test).session.engine.portfolio.positions

    async def detach(self, name: str) -> None:
        """Let a test rest without stopping it: it resumes at the next start."""
        test = await self.find(name)
        async with self._changing:
            await self._detach(self._runners.get(test.id))

    async def candles(self, test: ForwardTest, end: int) -> CandleSeries:
        """Return the candles that a test has traded, up to a close (ms).

        Raises:
            ExchangeError: the exchange can't be asked for those that aren't stored.
        """
        return await self._history.read(test.symbol, int(test.config["started_at"]), end)

    async def _attach(self, test: ForwardTest, until: int | None) -> ForwardRunner:
        await self._detach(self._runners.get(test.id))
        now = await self._live.now()
        runner, away = await self._reviver.revive(test, now, until=until)
        self._runners[test.id] = runner
        runner.start()
        last = runner.session.last_open_time
        try:
            await self._live.subscribe_market(
                test.symbol,
                runner,
                ticks=runner.session.config.ticks,
                after=runner.session.config.started_at - MINUTE_MS if last is None else last,
            )
        except BaseException:
            # Half attached it would get no candles.
            await self._detach(runner)
            raise
        if away is not None:
            self._watcher.on_recovered(runner, away)
        return runner

    async def _set_paused(self, test: ForwardTest, *, paused: bool) -> ForwardTest:
        runner = self.runner(test)
        time = await self._live.now()
        await runner.order(lambda: runner.session.set_paused(paused, time))
        status = ForwardTestStatus.PAUSED if paused else ForwardTestStatus.RUNNING
        if runner.fault is None:
            await self._database.set_forward_test_status(test.id, status)
        return await self.find(test.name)

    async def _close(self, runner: ForwardRunner, ids: Sequence[int] | None) -> StepRecord:
        time = await self._live.now()
        return await runner.order(lambda: runner.session.close_positions(ids, time))

    async def _detach(self, runner: ForwardRunner | None) -> None:
        if runner is None:
            return
        test = runner.session.test
        await self._live.unsubscribe_market(test.symbol, runner)
        await runner.stop()
        self._runners.pop(test.id, None)

    async def _fault(self, test: ForwardTest, reason: str) -> None:
        await self._database.set_forward_test_status(
            test.id, ForwardTestStatus.FAULTED, fault=reason
        )
