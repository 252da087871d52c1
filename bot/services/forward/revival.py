"""Brings a stored forward test back to life: its state, then the candles that it missed.

Whatever is wrong with its strategy, the test comes back: at rest, with its positions watched.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.errors import BotError
from bot.services.forward.committer import StepCommitter
from bot.services.forward.funding import FundingWatch
from bot.services.forward.history import ForwardHistory
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.session import ForwardSession
from bot.services.forward.storing import RunnerWatcher
from bot.services.forward.turns import Turns
from bot.services.strategies import StrategyLibrary
from data.database import Database
from data.errors import ExchangeUnavailable
from data.storage.records import ForwardEvent, ForwardTest, ForwardTestStatus
from engine.candles import CandleSeries, format_time
from engine.errors import StrategyError
from engine.timeframe import DAY_MS, MINUTE_MS, floor_to_timeframe

_RECOVERY_BLOCK: Final = 200
_RATES_TO_LEARN_FROM_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class WhileAway:
    """What a test made up for after a restart; times are candle open times (ms)."""

    first: int | None
    last: int | None
    candles: int
    trades: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is known of a test: its engine's snapshot and the number of its last step."""

    snapshot: Mapping[str, Any] | None
    step: int


class Reviver:
    """Makes runners of stored tests; they are neither started nor subscribed."""

    def __init__(
        self,
        database: Database,
        library: StrategyLibrary,
        history: ForwardHistory,
        watcher: RunnerWatcher,
    ) -> None:
        self._database = database
        self._library = library
        self._history = history
        self._watcher = watcher
        self._turns = Turns()
        self._committer = StepCommitter(database, self._turns)

    async def revive(
        self, test: ForwardTest, now: int, *, until: int | None
    ) -> tuple[ForwardRunner, WhileAway | None]:
        """Return a test's runner, up to the candle that closed last, and what it made up for.

        `now` is the exchange's time (ms). Nothing was made up for by a test that is new.

        Raises:
            ExchangeError: the exchange can't be asked.
            StoreError: state can't be read or stored.
        """
        snapshot = await self._database.get_strategy_state(test.id)
        portfolio = await self._database.get_portfolio(test.id)
        stored = _Stored(snapshot, portfolio.step if portfolio else 0)
        started_at = int(test.config["started_at"])
        known = snapshot["last_open_time"] if snapshot else started_at - MINUTE_MS
        end = floor_to_timeframe(now, "1m")
        end = max(known + MINUTE_MS, end if until is None else min(end, until))
        candles = await self._history.read(test.symbol, int(test.config["warm_up_from"]), end)
        past = candles.between(None, known + 1)
        if snapshot and (not len(past) or int(past.timestamp[-1]) != known):
            raise ExchangeUnavailable(
                f"{test.exchange} does not tell the candle of {format_time(known)} yet, which "
                f"{test.name} saw last: try again in a minute"
            )
        session = await asyncio.to_thread(self._open_session, test, past, stored)
        watch = await self._watch_funding(session, known + MINUTE_MS, end)
        runner = ForwardRunner(
            session,
            self._committer,
            self._watcher,
            until=until,
            funding=watch,
            turns=self._turns,
        )
        await self._settle_status(runner)
        if snapshot is None:
            return runner, None
        return runner, await self._make_up(runner, candles.between(known + 1, None))

    def _open_session(
        self, test: ForwardTest, past: CandleSeries, stored: _Stored
    ) -> ForwardSession:
        fault = test.fault if test.status is ForwardTestStatus.FAULTED else None
        if fault is None:
            try:
                loaded = self._library.load(test.strategy)
                return _begin(ForwardSession(test, loaded.strategy), past, stored)
            except (BotError, StrategyError) as error:
                fault = str(error)
        session = _begin(ForwardSession(test, None), past, stored)
        session.fault = fault
        return session

    async def _watch_funding(
        self, session: ForwardSession, since: int, end: int
    ) -> FundingWatch | None:
        symbol = session.test.symbol
        rates = await self._history.rates(symbol, since + 1, end + 1)
        if rates is None:
            return None
        session.add_funding(rates)
        known = await asyncio.to_thread(
            self._history.known_rates, symbol, since - _RATES_TO_LEARN_FROM_MS, since
        )
        return FundingWatch(symbol, self._history, known=known, since=max(since, end))

    async def _settle_status(self, runner: ForwardRunner) -> None:
        """Let the stored status say what the state says: the process may have died in between."""
        session = runner.session
        status = session.test.status
        if session.test.started_market_time is None:
            started_at = session.config.started_at
            await self._database.set_started_market_time(session.test.id, started_at)
        if session.fault is not None:
            if status is not ForwardTestStatus.FAULTED:
                await runner.report_fault(session.fault)
            return
        paused, running = ForwardTestStatus.PAUSED, ForwardTestStatus.RUNNING
        wanted = paused if session.entries_paused else running
        if status is not wanted:
            await self._database.set_forward_test_status(session.test.id, wanted)

    async def _make_up(self, runner: ForwardRunner, missed: CandleSeries) -> WhileAway:
        if not len(missed):
            return WhileAway(None, None, 0, 0)
        test = runner.session.test
        before = await self._database.count_trades(test.id)
        for first in range(0, len(missed), _RECOVERY_BLOCK):
            await runner.take(missed.part(first, min(first + _RECOVERY_BLOCK, len(missed))))
            await asyncio.sleep(0)
        first_open, last_open = int(missed.timestamp[0]), int(missed.timestamp[-1])
        trades = await self._database.count_trades(test.id) - before
        details = {"from": first_open, "to": last_open, "candles": len(missed), "trades": trades}
        await self._database.save_event(test.id, ForwardEvent(last_open, "recovered", details))
        return WhileAway(first_open, last_open, len(missed), trades)


def _begin(session: ForwardSession, past: CandleSeries, stored: _Stored) -> ForwardSession:
    if stored.snapshot is None:
        session.begin(past)
    else:
        session.resume(past, stored.snapshot, stored.step)
    return session
