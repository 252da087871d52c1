"""One forward test's engine: candles and ticks in, steps to store out. No I/O and no clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from bot.services.forward.alerts import alerts_of
from data.errors import UnstorableValue
from data.storage.operations import decode_json, encode_json
from data.storage.records import EquityMark, ForwardEvent, ForwardTest, StepRecord
from engine.asking import make_strategy
from engine.candles import CandleSeries
from engine.engine import Engine, EngineConfig, FillMode
from engine.errors import EngineError, InvalidRun, StrategyError
from engine.execution import FixedCosts, PaperExecutor
from engine.failures import RAISED, describe_failure
from engine.orders import Event, ExitReason, FundingPaid, PositionClosed, SignalRejected, Trade
from engine.strategy import RestingStrategy, Strategy
from engine.timeframe import MINUTE_MS


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """What a forward test was started with; money in USD.

    `warm_up_from` and `started_at` are open times (ms) of the first candle it looks back on and of
    the first it trades. Both are fixed for ever: the same candles must give the same bits.
    """

    warm_up_from: int
    started_at: int
    initial_balance: float = 10_000.0
    fee_rate: float = 0.0005
    slippage_bps: float = 0.0
    max_leverage: float = 1.0
    fill: FillMode = "close"
    ticks: bool = True

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class ForwardSession:
    """The engine of one forward test; each change is a `StepRecord` to be stored before the next.

    The order of use is `begin` or `resume`, then candles and ticks as they come. A strategy that
    raises, or whose state can't be stored, is put to rest: `fault` says why, the steps go on, stops
    and targets stay watched. Only a session made anew calls the strategy again.
    """

    def __init__(self, test: ForwardTest, strategy: type[Strategy] | None) -> None:
        """Make a session; without a strategy (its file can't be loaded) it only watches."""
        self.test = test
        self.config = ForwardConfig.from_json(test.config)
        costs = FixedCosts(self.config.fee_rate, self.config.slippage_bps)
        self.executor = PaperExecutor(costs)
        rules = EngineConfig(
            self.config.initial_balance, self.config.max_leverage, self.config.fill
        )
        self.engine = Engine(_make(strategy, test.params), rules, self.executor)
        self.step = 0
        self.fault: str | None = None
        self._is_resting = strategy is None
        # The last state that is known to be good, never shared with the strategy itself.
        self._state: Any = {}
        self._tick_time = 0
        # What happened since the last record: it is not lost when the strategy raises in between.
        self._events: list[Event] = []
        self._marks: list[EquityMark] = []

    @property
    def last_open_time(self) -> int | None:
        """The open time (ms) of the last candle seen, None before any."""
        position = self.engine.market.position
        return int(self.engine.market.timestamp.item(position - 1)) if position else None

    @property
    def forming_open_time(self) -> int:
        """The open time (ms) of the candle that is expected next."""
        last = self.last_open_time
        return self.config.started_at if last is None else last + MINUTE_MS

    @property
    def entries_paused(self) -> bool:
        """Whether new positions are refused."""
        return self.engine.desk.entries_paused

    def begin(self, history: CandleSeries) -> None:
        """Warm a new test up with the candles before its start.

        Raises:
            StrategyFailed: the strategy's own code raised.
        """
        self.engine.warm_up(history)
        self.engine.start()

    def resume(self, history: CandleSeries, snapshot: Mapping[str, Any], step: int) -> None:
        """Put a stored state back; `history` ends with the last candle that it has seen.

        Raises:
            StrategyFailed: the strategy's own code raised.
            InvalidRun: the state isn't of this history.
        """
        self.begin(history)
        self._state = snapshot["strategy_state"]
        if self._is_resting:
            self.engine.strategy = RestingStrategy(self._state)
        try:
            self.engine.restore(dict(snapshot))
        except EngineError:
            raise
        except RAISED as error:
            raise describe_failure(error, self.engine.strategy, "set_state") from error
        self.step = step

    def on_candles(self, block: CandleSeries, *, recovered: bool = False) -> Iterator[StepRecord]:
        """Let closed candles pass; `recovered` when they were missed while away.

        Yield a step after each candle at which something happened, and one at the end. The records
        are to be used up: each stands for candles that have passed when it is yielded.
        """
        for index in range(len(block)):
            close_time = int(block.timestamp[index]) + block.step_ms
            # A trade from before the close knows less than the close; a candle from REST stands
            # for an outage: its close is the price there was, no tick is.
            if recovered or self._tick_time < close_time:
                self.executor.forget_ticks()
            self._pass(block.part(index, index + 1))
            self._marks.append(EquityMark(close_time, self.engine.portfolio.equity))
            if self._events or index == len(block) - 1:
                yield self._record(recovered=recovered)
            else:
                self._snapshot()

    def see_price(self, price: float, time: int) -> None:
        """Take where the market stands, without a look at stops and targets."""
        self.executor.on_tick(price)
        self._tick_time = time
        if not self.engine.portfolio.has_position:
            self.engine.portfolio.last_price = price

    def check_price(self, price: float, time: int) -> StepRecord | None:
        """Check stops and targets against a trade of the exchange; None where nothing happened."""
        if not self.engine.portfolio.has_position:
            self.engine.portfolio.last_price = price
            return None
        self._events += self.engine.on_tick(price, time)
        return self._record() if self._events else None

    def on_tick(self, price: float, time: int) -> StepRecord | None:
        """Take a trade of the exchange; None where nothing happened."""
        self.see_price(price, time)
        return self.check_price(price, time)

    def set_paused(self, paused: bool, time: int) -> StepRecord:
        """Refuse or allow new positions from now on."""
        self.engine.desk.entries_paused = paused
        kind = "paused" if paused else "resumed"
        return self._record(ForwardEvent(time, kind))

    def save_state(self) -> StepRecord:
        """Return the present state as a step in which nothing happened."""
        return self._record()

    def close_positions(self, ids: Sequence[int] | None, time: int) -> StepRecord:
        """Close positions by hand at the market, all that are open without `ids`.

        Raises:
            InvalidRun: one of them isn't open; none is closed then.
        """
        known = [position.id for position in self.engine.portfolio.positions]
        wanted = known if ids is None else list(ids)
        for position_id in wanted:
            if position_id not in known:
                raise InvalidRun(f"{self.test.name} has no open position {position_id}")
        for position_id in wanted:
            self._events += self.engine.close_position(position_id, ExitReason.MANUAL, time)
        return self._record(ForwardEvent(time, "manual_close", {"ids": wanted}))

    def add_funding(self, funding: Sequence[tuple[int, float]]) -> None:
        """Add funding rates that became known, in order of time (ms).

        One that became known too late is paid at the next close, unless a position was opened
        since: that one doesn't owe it.
        """
        known = max((time for time, _ in self.engine.funding), default=0)
        newest = max((p.entry_time for p in self.engine.portfolio.positions), default=0)
        last_close = self.forming_open_time
        self.engine.add_funding(
            (time, rate)
            for time, rate in funding
            if time > known and (time > last_close or time > newest > 0)
        )

    def _pass(self, candle: CandleSeries) -> None:
        """Let one candle pass, whatever the strategy does."""
        engine = self.engine
        try:
            self._events += engine.advance(candle)
        except StrategyError as error:
            self._events += engine.rest()
            self._rest(str(error))
            # Behind a gap a strategy is called before the candle is looked at.
            self._events += engine.advance_to(len(engine.market.base))

    def _rest(self, reason: str) -> None:
        self.engine.rest()
        self.engine.strategy = RestingStrategy(self._state)
        self.fault = reason

    def _snapshot(self) -> dict[str, Any]:
        try:
            snapshot = self.engine.snapshot()
            text = encode_json(snapshot["strategy_state"], f"the state of {self.test.strategy}")
        except (StrategyError, UnstorableValue) as error:
            self._rest(str(error))
            return self._snapshot()
        self._state = decode_json(text)
        return {**snapshot, "strategy_state": self._state}

    def _record(self, *told: ForwardEvent, recovered: bool = False) -> StepRecord:
        book = self.engine.portfolio
        snapshot = self._snapshot()
        events, marks = self._events, tuple(self._marks)
        self._events, self._marks = [], []
        # The curve is stored mark by mark; the engine's own ledger would only grow.
        self.engine.ledger.clear()
        self.step += 1
        return StepRecord(
            test_id=self.test.id,
            step=self.step,
            last_candle_time=self.last_open_time or self.config.started_at,
            balance=book.balance,
            equity=book.equity,
            snapshot=snapshot,
            positions=tuple(book.positions),
            trades=_trades(events),
            recovered=recovered,
            equity_marks=marks,
            events=(*_told(events), *told),
            alerts=alerts_of(self.test, self.step, events, book, recovered),
        )


def _make(strategy: type[Strategy] | None, params: Mapping[str, Any]) -> Strategy:
    if strategy is None:
        return RestingStrategy({})
    return make_strategy(strategy, strategy.make_params(params))


def _trades(events: Sequence[Event]) -> tuple[Trade, ...]:
    return tuple(event.trade for event in events if isinstance(event, PositionClosed))


def _told(events: Sequence[Event]) -> tuple[ForwardEvent, ...]:
    """What is kept of a step beyond its trades: refused signals and funding."""
    told = []
    for event in events:
        if isinstance(event, SignalRejected):
            told.append(ForwardEvent(event.time, "signal_rejected", {"reason": event.reason}))
        elif isinstance(event, FundingPaid):
            details = {"rate": event.rate, "amount_usd": event.amount_usd}
            told.append(ForwardEvent(event.time, "funding_paid", details))
    return tuple(told)
