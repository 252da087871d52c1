"""The engine: the one step path that backtest, forward test and recovery share. No I/O, no clock.

engine = Engine(strategy, config, executor)
engine.warm_up(history)         # seen, not traded
engine.start()                  # the strategy binds its indicators
events = engine.advance(block)  # any number of base candles at a time
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from engine.asking import ask, ask_in_a_row
from engine.candles import CandleSeries
from engine.equity import LedgerEntry
from engine.errors import InvalidRun
from engine.execution import Executor, SLTPMonitor
from engine.execution.desk import TradingDesk
from engine.execution.settlement import Settlement
from engine.failures import RAISED, describe_failure
from engine.frames import NEVER
from engine.market import Market
from engine.orders import (
    Event,
    ExitReason,
    FundingPaid,
    PositionClosed,
    PositionOpened,
    Signal,
    SignalRejected,
)
from engine.portfolio import Portfolio, PortfolioView
from engine.snapshot import put_back, take_snapshot
from engine.strategy import RestingStrategy, Strategy

FillMode = Literal["close", "next_open"]
FILL_MODES: Final[tuple[FillMode, ...]] = ("close", "next_open")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The rules of one run: balance in USD, leverage as total notional over equity."""

    initial_balance: float = 10_000.0
    max_leverage: float = 1.0
    fill: FillMode = "close"

    def __post_init__(self) -> None:
        for name, value in (
            ("initial balance", self.initial_balance),
            ("max_leverage", self.max_leverage),
        ):
            if not (np.isfinite(value) and value > 0):
                raise InvalidRun(f"{name} must be a positive number, got {value}")
        if self.fill not in FILL_MODES:
            raise InvalidRun(f"fill must be one of {', '.join(FILL_MODES)}, got {self.fill!r}")


class Engine:
    """Steps a strategy through base candles; everything it does is an event.

    Order inside a base candle: overdue closes -> signals waiting for an open -> stops, targets and
    liquidation -> funding -> the candle closes -> `on_candle` -> its signals.
    """

    def __init__(
        self, strategy: Strategy, config: EngineConfig, executor: Executor, *, base: str = "1m"
    ) -> None:
        self.config = config
        self.strategy = strategy
        self.market = Market(strategy.timeframes, base, strategy.history_ms)
        self.portfolio = Portfolio(config.initial_balance)
        self.desk = TradingDesk(self.portfolio, executor, config.max_leverage, self._emit)
        self._settlement = Settlement(self.portfolio, self.desk)
        self.ledger = [LedgerEntry(0, config.initial_balance, 0.0, 0.0)]
        self._view = PortfolioView(self.portfolio)
        self._monitor = SLTPMonitor(self.market.base)
        self.pending: list[Signal] = []
        self._events: list[Event] = []
        self.funding: deque[tuple[int, float]] = deque()
        self._funding_index = NEVER
        self._index = 0
        self._watch_from = 0
        self._saved_state: dict[str, Any] = {}

    def load(self, series: CandleSeries) -> None:
        """Put base candles in; market time does not pass by that."""
        self.market.extend(series)
        self._find_funding()

    def warm_up(self, series: CandleSeries) -> None:
        """Let candles pass that the strategy may look back on, without trading them."""
        self.load(series)
        self.warm_up_to(len(self.market.base))

    def warm_up_to(self, position: int) -> None:
        """Let loaded candles pass up to an index (excluded), without trading them."""
        self.market.skip_to(position)
        self._mark()
        self._find_funding()

    def add_funding(self, funding: Iterable[tuple[int, float]]) -> None:
        """Add funding times (ms) and rates (fractions of notional that longs pay), in order."""
        self.funding.extend(funding)
        self._find_funding()

    def start(self, *, sparse: bool = False) -> None:
        """Let the strategy bind its indicators; `sparse` heeds when it wants to be called.

        That needs all candles to be loaded: those that come later are shown to it one by one.

        Raises:
            StrategyFailed: the strategy's own code raised.
        """
        try:
            self.strategy.on_init(self.market.data)
            if sparse:
                self.market.wake_at(lambda: self.strategy.wake(self.market.data))
        except RAISED as error:
            raise describe_failure(error, self.strategy) from error

    def advance(self, block: CandleSeries) -> list[Event]:
        """Let base candles pass, however many, and return what happened in order.

        Raises:
            StrategyFailed: the strategy's own code raised.
        """
        self.load(block)
        return self.advance_to(len(self.market.base))

    def advance_to(self, end: int) -> list[Event]:
        """Let loaded base candles pass up to index `end` (excluded)."""
        self._events = []
        market, monitor, portfolio = self.market, self._monitor, self.portfolio
        while (start := market.position) < end:
            quiet_until = min(end, monitor.quiet_until, self._funding_index)
            is_quiet = start < quiet_until and not self.pending
            if is_quiet and (calls := market.next_calls(quiet_until)):
                if signals := ask_in_a_row(self.strategy, market, portfolio, self._view, calls):
                    self._carry_out(signals, market.position - 1)
                continue
            if market.has_overdue() and market.reveal_overdue():
                self.pending += ask(self.strategy, market.data, self._view)
            if self.pending:
                self._fill_at_open(start)
            stop = market.next_close(end)
            if stop > monitor.quiet_until or stop > self._funding_index:
                self._settle(start, stop)
            closed = market.advance(stop)
            portfolio.last_price = market.close.item(stop - 1)
            if closed and (signals := ask(self.strategy, market.data, self._view)):
                self._carry_out(signals, stop - 1)
        return self._events

    def on_tick(self, price: float, time: int) -> list[Event]:
        """Check stops and targets of open positions against a trade on the exchange.

        A stop is filled at the tick's price, a target at its own. Times are in ms UTC.
        """
        self._begin_at(self.market.position, watch_from=self.market.position)
        self.portfolio.last_price = price
        self._settlement.settle_tick(price, time)
        return self._events

    def close_position(self, position_id: int, reason: ExitReason, time: int) -> list[Event]:
        """Close one position at the market now.

        Raises:
            InvalidRun: no position of that id is open.
        """
        position = self.portfolio.get_position(position_id)
        if position is None:
            raise InvalidRun(f"no open position {position_id}")
        self._begin_at(self.market.position, watch_from=self.market.position)
        reference = self.desk.reference_price(self.portfolio.last_price)
        self.desk.close(position, reference, time, reason)
        return self._events

    def close_all(self, reason: ExitReason) -> list[Event]:
        """Close every open position at the last close, in opening order."""
        position = self.market.position
        self._begin_at(position - 1, watch_from=position)
        time = self.market.close_time(position - 1)
        for open_position in self.portfolio.positions:
            self.desk.close(open_position, self.portfolio.last_price, time, reason)
        return self._events

    def rest(self) -> list[Event]:
        """Put a strategy that raised to rest; return what happened in the step that it broke off.

        Its positions stay open and watched, its state stays as it was last saved.
        """
        self.strategy = RestingStrategy(self._saved_state)
        return self._events

    def save_strategy_state(self) -> dict[str, Any]:
        """Return the strategy's own state, and keep it for the case that the strategy fails.

        Raises:
            StrategyFailed: the strategy's own code raised.
        """
        try:
            self._saved_state = self.strategy.get_state()
        except RAISED as error:
            raise describe_failure(error, self.strategy) from error
        return self._saved_state

    def snapshot(self) -> dict[str, Any]:
        """Return all that the future depends on but the candles, as values for JSON."""
        return take_snapshot(self)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put a snapshot back, after a warm-up with the same candles and `start()`."""
        put_back(self, snapshot)
        self._begin_at(self.market.position, watch_from=self.market.position)
        for position in self.portfolio.positions:
            self._monitor.watch(position, self._watch_from)
        self.ledger = []
        self._follow_book(max(self.market.position - 1, 0))
        self._mark()
        self._find_funding()

    def _begin_at(self, index: int, *, watch_from: int) -> None:
        self._events = []
        self._index, self._watch_from = index, watch_from

    def _mark(self) -> None:
        last = self.market.position - 1
        if last >= 0:
            self.portfolio.last_price = self.market.close.item(last)

    def _carry_out(self, signals: list[Signal], index: int) -> None:
        if self.config.fill == "next_open":
            self.pending += signals
            return
        self._index, self._watch_from = index, index + 1
        time = self.market.close_time(index)
        for signal in signals:
            self.desk.execute(signal, self.portfolio.last_price, time)

    def _fill_at_open(self, index: int) -> None:
        signals, self.pending = self.pending, []
        self._index = self._watch_from = index
        price = self.market.base["open"].item(index)
        time = self.market.base["timestamp"].item(index)
        for signal in signals:
            self.desk.execute(signal, price, time)

    def _settle(self, start: int, stop: int) -> None:
        base, index = self.market.base, start
        while index < stop:
            hit = self._monitor.next_hit(stop)
            index = min(hit, self._funding_index)
            if index >= stop:
                return
            self._index, self._watch_from = index, index + 1
            if index == hit:
                prices = [base[name].item(index) for name in ("open", "high", "low")]
                self._settlement.settle_candle(prices, self.market.close_time(index))
            while index == self._funding_index:
                self._pay_funding(index)
            index += 1

    def _pay_funding(self, index: int) -> None:
        _, rate = self.funding.popleft()
        if self.portfolio.has_position:
            amount = rate * self.portfolio.net_size * self.market.close.item(index)
            self.portfolio.pay(amount)
            self.desk.totals.funding += amount
            self._emit(FundingPaid(self.market.close_time(index), rate, amount))
        self._find_funding()

    def _find_funding(self) -> None:
        """Find the candle that closes at or first after the next funding time."""
        self._funding_index = NEVER
        if self.funding:
            opens = self.market.base["timestamp"]
            found = int(np.searchsorted(opens, self.funding[0][0] - self.market.step_ms))
            self._funding_index = max(found, self.market.position)

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        if isinstance(event, PositionOpened):
            self._monitor.watch(event.position, self._watch_from)
        elif isinstance(event, PositionClosed):
            self._monitor.forget(event.trade.id)
        elif isinstance(event, SignalRejected):
            return
        self._follow_book(self._index)

    def _follow_book(self, index: int) -> None:
        """Write the book down, and watch the price at which all of it has used the balance up."""
        book = self.portfolio
        self.ledger.append(LedgerEntry(index, book.balance, book.net_size, book.net_cost))
        self._monitor.watch_account(
            book.liquidation_price, net_long=book.net_size > 0, index=self._watch_from
        )
