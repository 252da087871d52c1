"""Makes new forward tests: checks what was asked for, names it, rehearses it, stores it.

What runs them is in `service` and `runner`. No Discord here.
"""

import asyncio
import re
from dataclasses import replace
from typing import Final

from bot.errors import InvalidInput
from bot.services.forward.history import ForwardHistory
from bot.services.forward.ports import ForwardAsk, LiveMarket, unstored
from bot.services.forward.session import ForwardConfig, ForwardSession
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.database import Database
from data.errors import RecordConflict
from data.storage.records import ForwardTest, NewForwardTest
from data.symbols import normalize_symbol
from engine.candles import CandleSeries, format_time
from engine.engine import EngineConfig
from engine.errors import StrategyFailed
from engine.strategy import Strategy
from engine.timeframe import floor_to_timeframe

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_NOT_IN_NAME: Final = re.compile(r"[^a-z0-9_-]")


class Founder:
    """Makes forward tests of what users ask for; they don't trade yet."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        library: StrategyLibrary,
        live: LiveMarket,
        history: ForwardHistory,
    ) -> None:
        self._settings = settings
        self._database = database
        self._library = library
        self._live = live
        self._history = history

    async def found(self, ask: ForwardAsk, *, until: int | None = None) -> ForwardTest:
        """Store a new test that begins with the candle that is forming now.

        Raises:
            InvalidInput: a name that can't be used, or is taken; an end that has passed.
            StrategyError, InvalidRun: strategy, parameters or balance are wrong.
            ExchangeError: the exchange can't be asked.
        """
        loaded = await asyncio.to_thread(self._library.load, ask.strategy)
        params = loaded.strategy.make_params(ask.params).model_dump(mode="json")
        symbol = normalize_symbol(ask.symbol or self._settings.symbol, self._settings.exchange)
        balance = self._balance(ask)
        name = await self._choose_name(ask)
        now = await self._live.now()
        started_at = floor_to_timeframe(now, "1m")
        if until is not None and until <= now:
            raise InvalidInput(f"until {format_time(until)} has passed on the exchange")
        warm_up_from = await self._history.fetch_warm_up(symbol, loaded.strategy, started_at)
        config = ForwardConfig(
            warm_up_from=warm_up_from,
            started_at=started_at,
            initial_balance=balance,
            fee_rate=self._settings.fee_rate,
            slippage_bps=self._settings.slippage_bps,
            max_leverage=self._settings.max_leverage,
            ticks=ask.ticks,
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
        await self._rehearse(new, loaded.strategy)
        return await self._create(new, numbered=ask.name is None)

    def check_same(self, test: ForwardTest, ask: ForwardAsk) -> None:
        """Refuse to take a stored test for another one that was asked for by its name.

        Raises:
            InvalidInput: it runs another strategy, symbol, balance or other parameters.
        """
        stored = ForwardConfig.from_json(test.config)
        symbol = normalize_symbol(ask.symbol, test.exchange) if ask.symbol else test.symbol
        balance = stored.initial_balance if ask.initial_balance is None else ask.initial_balance
        pairs = [
            ("strategy", test.strategy, ask.strategy),
            ("exchange", test.exchange, self._settings.exchange),
            ("symbol", test.symbol, symbol),
            ("balance", f"{stored.initial_balance:g}", f"{balance:g}"),
        ]
        if ask.params and test.strategy == ask.strategy:
            strategy = self._library.load(ask.strategy).strategy
            params = strategy.make_params({**test.params, **ask.params}).model_dump(mode="json")
            pairs += [(name, f"{test.params.get(name)}", f"{params[name]}") for name in params]
        for what, known, asked in pairs:
            if known != asked:
                raise InvalidInput(
                    f"forward test {test.name} has {what} {known}, not {asked}: choose another name"
                )

    def _balance(self, ask: ForwardAsk) -> float:
        asked = ask.initial_balance
        balance = self._settings.initial_balance if asked is None else asked
        EngineConfig(balance, self._settings.max_leverage)
        return balance

    async def _choose_name(self, ask: ForwardAsk) -> str:
        if ask.name is None:
            return await self._free_name(ask.strategy)
        if not _NAME.fullmatch(ask.name):
            raise InvalidInput(
                f"{ask.name!r} can't be a test's name: use small letters, digits, - and _, up to 40"
            )
        if await self._database.find_forward_test(ask.name) is not None:
            raise InvalidInput(f"there is a forward test {ask.name!r}: choose another name")
        return ask.name

    async def _free_name(self, strategy: str) -> str:
        taken = {test.name for test in await self._database.list_forward_tests()}
        base = _NOT_IN_NAME.sub("", strategy.lower()).lstrip("-_")[:32] or "test"
        numbers = range(2, len(taken) + 3)
        return next(n for n in (base, *(f"{base}-{i}" for i in numbers)) if n not in taken)

    async def _rehearse(self, new: NewForwardTest, strategy: type[Strategy]) -> None:
        """Let a strategy begin and come back once, so that one that can't makes no test."""
        trial = unstored(new)
        config = ForwardConfig.from_json(new.config)
        past = await self._history.read(new.symbol, config.warm_up_from, config.started_at)
        await asyncio.to_thread(_begin_and_come_back, trial, strategy, past)

    async def _create(self, new: NewForwardTest, *, numbered: bool) -> ForwardTest:
        while True:
            try:
                return await self._database.create_forward_test(new)
            except RecordConflict as error:
                if not numbered:
                    raise InvalidInput(str(error)) from error
                # Another start took the number meanwhile.
                new = replace(new, name=await self._free_name(new.strategy))


def _begin_and_come_back(trial: ForwardTest, strategy: type[Strategy], past: CandleSeries) -> None:
    first = ForwardSession(trial, strategy)
    first.begin(past)
    saved = first.save_state()
    if first.fault is not None:
        raise StrategyFailed(first.fault)
    ForwardSession(trial, strategy).resume(past, saved.snapshot, saved.step)
