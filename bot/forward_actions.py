"""What operators do with forward tests: each is done, recorded in the audit, and told."""

import asyncio

from bot.alerts import DiscordAlerter, forget_told_fault
from bot.audit import Audit, Person
from bot.errors import InvalidInput
from bot.services.forward.desk import ForwardDesk
from bot.services.forward.overview import ForwardView, PositionView
from bot.services.forward.service import ForwardAsk
from bot.services.strategies import StrategyLibrary
from data.storage.records import ForwardTest, StoredTrade


class ForwardActions:
    """Starts, stops, pauses, resumes and closes; who may is checked before."""

    def __init__(
        self, desk: ForwardDesk, alerter: DiscordAlerter, audit: Audit, library: StrategyLibrary
    ) -> None:
        self.desk = desk
        self._alerter = alerter
        self._audit = audit
        self._library = library

    async def start(self, ask: ForwardAsk, actor: Person) -> ForwardTest:
        """Start a test.

        Raises:
            BotError, DataError, EngineError: an option is wrong, or the exchange can't be asked.
        """
        test = await self.desk.start(ask)
        loaded = await asyncio.to_thread(self._library.load, test.strategy)
        await self._alerter.on_strategy_start(test, timeframes=loaded.strategy.timeframes)
        details = {"test": test.name, "strategy": test.strategy, "symbol": test.symbol}
        await self._audit.record(actor, "/forward start", details=details)
        return test

    async def stop(self, test_id: int, actor: Person, *, close_positions: bool) -> ForwardView:
        """End a test for good; return how it stood."""
        test = await self._get(test_id)
        test = await self.desk.service.stop(test.name, close_positions=close_positions)
        view = await self.desk.view(test)
        left = len(view.positions)
        await self._alerter.on_strategy_stop(test, equity=view.equity, left_open=left, by=actor.id)
        details = {"test": test.name, "close_positions": close_positions, "left_open": left}
        await self._audit.record(actor, "/forward stop", details=details)
        return view

    async def pause(self, name: str | None, actor: Person) -> ForwardView:
        """Let a test open nothing new."""
        test = await self.desk.find(name)
        test = await self.desk.service.pause(test.name)
        await self._tell_paused(test, actor, "/forward pause")
        return await self.desk.view(test)

    async def resume(self, name: str | None, actor: Person) -> ForwardView:
        """Let a paused test trade again, or bring a faulted one back."""
        test = await self.desk.find(name)
        await forget_told_fault(self.desk.database, test)
        test = await self.desk.resume(test.name)
        await self._tell_paused(test, actor, "/forward resume")
        return await self.desk.view(test)

    async def close_position(
        self, test_id: int, position_id: int, actor: Person
    ) -> tuple[ForwardTest, StoredTrade]:
        """Close one position at the market; return its trade."""
        test = await self._get(test_id)
        await self.find_position(test, position_id)
        record = await self.desk.service.close_position(test.name, position_id)
        trades = [trade for trade in record.trades if trade.id == position_id]
        if not trades:
            raise InvalidInput(f"position {position_id} of {test.name} could not be closed")
        details = {"test": test.name, "position": position_id, "pnl": trades[0].pnl}
        await self._audit.record(actor, "close position", details=details)
        return test, StoredTrade(test.id, trades[0])

    async def find_position(
        self, test: ForwardTest, position_id: int
    ) -> tuple[ForwardView, PositionView]:
        """Return an open position and its test.

        Raises:
            InvalidInput: it is closed already.
        """
        view = await self.desk.view(test)
        for position in view.positions:
            if position.position.id == position_id:
                return view, position
        raise InvalidInput(f"position {position_id} of {test.name} is closed already")

    async def find_by_id(self, test_id: int) -> ForwardTest:
        """Return a test by its id."""
        return await self._get(test_id)

    async def _get(self, test_id: int) -> ForwardTest:
        test = await self.desk.database.get_forward_test(test_id)
        if test is None:
            raise InvalidInput("there is no such forward test any more")
        return test

    async def _tell_paused(self, test: ForwardTest, actor: Person, command: str) -> None:
        await self._alerter.on_strategy_paused(test, by=actor.id)
        await self._audit.record(actor, command, details={"test": test.name})
