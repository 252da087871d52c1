"""One forward test's engine: candles and ticks in, steps to store out. No I/O and no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from bot.services.forward.alerts import alerts_of
from data.storage.records import EquityMark, ForwardEvent, ForwardTest, StepRecord
from engine.candles import CandleSeries
from engine.engine import Engine, EngineConfig, FillMode
from engine.execution import FixedCosts, PaperExecutor
from engine.orders import Event, ExitReason, FundingPaid, PositionClosed, SignalRejected, Trade
from engine.strategy import Strategy


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

    The order of use is `begin` or `resume`, then candles and ticks as they come.
    """

    def __init__(self, test: ForwardTest, strategy: type[Strategy]) -> None:
        self.test = test
        self.config = ForwardConfig.from_json(test.config)
        costs = FixedCosts(self.config.fee_rate, self.config.slippage_bps)
        self.executor = PaperExecutor(costs)
        rules = EngineConfig(
            self.config.initial_balance, self.config.max_leverage, self.config.fill
        )
        params = strategy.make_params(test.params)
        self.engine = Engine(strategy(params), rules, self.executor)
        self.step = 0
        # What happened since the last record: it is not lost when the strategy raises in between.
        self._events: list[Event] = []
        self._marks: list[EquityMark] = []

    @property
    def last_open_time(self) -> int | None:
        """The open time (ms) of the last candle seen, None before any."""
        position = self.engine.market.position
        return int(self.engine.market.timestamp.item(position - 1)) if position else None

    @property
    def entries_paused(self) -> bool:
        """Whether new positions are refused."""
        return self.engine.desk.entries_paused

    def begin(self, history: CandleSeries) -> None:
        """Warm a new test up with the candles before its start."""
        self.engine.warm_up(history)
        self.engine.start()

    def resume(self, history: CandleSeries, snapshot: Mapping[str, Any], step: int) -> None:
        """Put a stored state back; `history` ends with the last candle that it has seen."""
        self.begin(history)
        self.engine.restore(dict(snapshot))
        self.step = step

    def on_candles(self, block: CandleSeries, *, recovered: bool = False) -> StepRecord:
        """Let closed candles pass; `recovered` when they were missed while away."""
        if recovered:
            self.executor.forget_ticks()
        for index in range(len(block)):
            self._events += self.engine.advance(block.part(index, index + 1))
            time = int(block.timestamp[index]) + block.step_ms
            self._marks.append(EquityMark(time, self.engine.portfolio.equity))
        return self._record(recovered=recovered)

    def on_tick(self, price: float, time: int) -> StepRecord | None:
        """Check stops and targets on a trade of the exchange; None where nothing happened."""
        self.executor.on_tick(price)
        if not self.engine.portfolio.has_position:
            self.engine.portfolio.last_price = price
            return None
        self._events += self.engine.on_tick(price, time)
        return self._record() if self._events else None

    def rest(self) -> StepRecord:
        """Put a strategy that raised to rest; what its last step did before is kept.

        Stops and targets stay watched; only a session made anew calls the strategy again.
        """
        self._events += self.engine.rest()
        return self._record()

    def set_paused(self, paused: bool, time: int) -> StepRecord:
        """Refuse or allow new positions from now on."""
        self.engine.desk.entries_paused = paused
        kind = "paused" if paused else "resumed"
        return self._record(ForwardEvent(time, kind))

    def close_positions(self, ids: Sequence[int], time: int) -> StepRecord:
        """Close positions by hand at the market."""
        for position_id in ids:
            self._events += self.engine.close_position(position_id, ExitReason.MANUAL, time)
        return self._record(ForwardEvent(time, "manual_close", {"ids": list(ids)}))

    def add_funding(self, funding: Sequence[tuple[int, float]]) -> None:
        """Add funding rates that became known, in order of time (ms)."""
        self.engine.add_funding(funding)

    def _record(self, *told: ForwardEvent, recovered: bool = False) -> StepRecord:
        book = self.engine.portfolio
        snapshot = self.engine.snapshot()
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
