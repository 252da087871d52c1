"""Run one case through the reference, the backtest driver, and the engine itself.

Nothing is simulated or compared here. The scripted strategy is the same function of (call, latest
close) on both sides, and notes what it sees, so that what is visible is compared as well.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.candles import Candle, CandleSeries
from engine.engine import Engine, EngineConfig, LedgerEntry
from engine.execution import BacktestExecutor, FixedCosts
from engine.frames import MultiTimeframeData
from engine.orders import Event, ExitReason, Signal
from engine.portfolio import PortfolioView
from engine.results import BacktestResults
from engine.strategy import Strategy
from tests.engine.reference.cases import Case
from tests.engine.reference.simulator import Decision, ReferenceRun, simulate


@dataclass
class Sight:
    """What a strategy saw at a call: candles by timeframe (count, latest), ids, equity."""

    candles: dict[str, tuple[int, Candle | None]]
    positions: list[int]
    equity: float


@dataclass
class Seen:
    """What a run's strategy saw, call by call."""

    calls: list[Sight] = field(default_factory=list)


def run_reference(case: Case) -> tuple[ReferenceRun, Seen]:
    """Run a case through the reference simulator."""
    seen = Seen()
    smallest = scripted(case, Seen()).smallest_timeframe()

    def decide(decision: Decision) -> list[Signal]:
        candles = {
            timeframe: (len(bars), bars[-1] if bars else None)
            for timeframe, bars in decision.visible.items()
        }
        ids = [position.id for position in decision.positions]
        seen.calls.append(Sight(candles, ids, decision.equity))
        close = decision.visible[smallest][-1].close
        return case.signals(len(seen.calls) - 1, close)

    run = simulate(
        list(case.candles),
        decide,
        timeframes=case.timeframes,
        start=case.start,
        initial_balance=case.initial_balance,
        fee_rate=case.fee_rate,
        slippage_bps=case.slippage_bps,
        max_leverage=case.max_leverage,
        fill=case.fill,
        funding=list(case.funding),
    )
    return run, seen


def scripted(case: Case, seen: Seen) -> type[Strategy]:
    """Return the strategy that plays a case's script and notes what it sees."""

    class Scripted(Strategy):
        timeframes = case.timeframes

        def on_init(self, data: MultiTimeframeData) -> None:
            self.calls = 0

        def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
            candles = {
                timeframe: (len(frame), frame.latest if len(frame) else None)
                for timeframe, frame in data.items()
            }
            ids = [position.id for position in portfolio.positions]
            seen.calls.append(Sight(candles, ids, portfolio.equity))
            self.calls += 1
            close = data[self.smallest_timeframe()].latest.close
            return case.signals(self.calls - 1, close)

        def get_state(self) -> dict[str, Any]:
            return {"calls": self.calls}

        def set_state(self, state: dict[str, Any]) -> None:
            self.calls = state["calls"]

    return Scripted


def run_engine(case: Case) -> tuple[BacktestResults, Seen]:
    """Run a case through the backtest driver."""
    seen = Seen()
    series = CandleSeries.from_candles(case.candles)
    request = BacktestRequest(
        strategy="scripted",
        start=case.start,
        initial_balance=case.initial_balance,
        fee_rate=case.fee_rate,
        slippage_bps=case.slippage_bps,
        max_leverage=case.max_leverage,
        fill=case.fill,
    )
    data = BacktestData(series, funding=case.funding)
    return run_backtest(request, scripted(case, seen), data), seen


@dataclass
class BlockRun:
    """What an engine did that was fed block by block, to be compared bit by bit.

    `equity` is what the book showed behind each block, by the number of candles so far; `snapshot`
    is taken before the positions left open are closed at the end.
    """

    events: list[Event]
    equity: dict[int, float]
    snapshot: str
    ledger: list[LedgerEntry]
    calls: list[Sight]


def run_blocks(case: Case, cuts: Iterable[int] = (), *, restart: bool = False) -> BlockRun:
    """Feed an engine with blocks of candles that end before each index in `cuts`.

    With `restart` each cut also replaces the engine by one restored from its snapshot as JSON.
    """
    series = CandleSeries.from_candles(case.candles)
    first = begin = first_candle(case)
    seen = Seen()
    engine = build_engine(case, seen)
    engine.warm_up(series.part(0, first))
    add_funding(engine, case)
    engine.start()
    events, equity = [], {}
    for end in [*sorted(cut for cut in set(cuts) if first < cut < len(series)), len(series)]:
        events += engine.advance(series.part(begin, end))
        equity[end] = engine.portfolio.equity
        if restart:
            snapshot = json.dumps(engine.snapshot())
            engine = build_engine(case, seen)
            engine.warm_up(series.part(0, end))
            engine.start()
            engine.restore(json.loads(snapshot))
        begin = end
    snapshot = json.dumps(engine.snapshot())
    events += engine.close_all(ExitReason.END)
    return BlockRun(events, equity, snapshot, engine.ledger, seen.calls)


def first_candle(case: Case) -> int:
    """Return the index of the first candle that is traded."""
    begin = case.candles[0].timestamp if case.start is None else case.start
    return sum(candle.timestamp < begin for candle in case.candles)


def build_engine(case: Case, seen: Seen) -> Engine:
    """Return an engine that plays a case's script and has had no candle."""
    config = EngineConfig(case.initial_balance, case.max_leverage, case.fill)
    executor = BacktestExecutor(FixedCosts(case.fee_rate, case.slippage_bps))
    return Engine(scripted(case, seen)(), config, executor, base="1m")


def add_funding(engine: Engine, case: Case) -> None:
    """Put in all funding that is due after the start."""
    start = case.candles[0].timestamp if case.start is None else case.start
    engine.add_funding((time, rate) for time, rate in case.funding if time > start)
