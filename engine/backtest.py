"""The backtest driver: feeds an engine from arrays and turns what happened into results. No I/O."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from engine.asking import make_strategy
from engine.candles import CandleSeries, format_time
from engine.engine import Engine, EngineConfig, FillMode
from engine.equity import mark_equity
from engine.errors import InvalidRun
from engine.execution import BacktestExecutor, FixedCosts
from engine.metrics import compute_metrics
from engine.orders import Event, ExitReason, PositionClosed, SignalRejected, Trade
from engine.results import BacktestResults, Costs, DataPassport, EquityCurve, Rejection
from engine.strategy import Strategy
from engine.timeframe import TIMEFRAMES, get_timeframe_minutes

Progress = Callable[[int, int], None]

# Charts need no more candles than this, whatever a run was computed on.
_CHART_CANDLES: Final = 20_000
_PROGRESS_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to run: times in ms UTC (end excluded, None: what the candles cover), money in USD."""

    strategy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    symbol: str = "BTC/USDT"
    exchange: str = "simulated"
    start: int | None = None
    end: int | None = None
    initial_balance: float = 10_000.0
    fee_rate: float = 0.0005
    slippage_bps: float = 0.0
    max_leverage: float = 1.0
    fill: FillMode = "close"

    def __post_init__(self) -> None:
        if not 0 <= self.fee_rate < 1:
            raise InvalidRun(f"fee_rate is a fraction such as 0.0005, got {self.fee_rate}")
        if not 0 <= self.slippage_bps < 10_000:
            raise InvalidRun(f"slippage_bps must be in 0..10000, got {self.slippage_bps}")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise InvalidRun(
                f"end {format_time(self.end)} is not after start {format_time(self.start)}"
            )
        self.engine_config()

    def engine_config(self) -> EngineConfig:
        """Return the engine's part of the request."""
        return EngineConfig(self.initial_balance, self.max_leverage, self.fill)


@dataclass(frozen=True, slots=True)
class BacktestData:
    """What to run on: candles (those before the start warm up), where they came from, funding."""

    candles: CandleSeries
    sha256: str = ""
    volume_delta_source: str | None = None
    funding: Sequence[tuple[int, float]] = ()


def run_backtest(
    request: BacktestRequest,
    strategy: type[Strategy],
    data: BacktestData,
    *,
    code_sha256: str = "",
    progress: Progress | None = None,
    sparse: bool = True,
) -> BacktestResults:
    """Run a strategy over candles and return its results.

    A strategy with a `wake` is called only when it wants to be; `sparse=False` calls it always,
    which must give the same results and takes longer.

    Raises:
        InvalidRun: no candles in the asked period, or candles too coarse for the strategy.
        InvalidParams: parameters that the strategy refuses.
        StrategyFailed: the strategy's own code raised.
    """
    params = strategy.make_params(request.params)
    first, stop = _run_range(request, data.candles)
    candles = data.candles.part(0, stop)
    engine = _build_engine(request, make_strategy(strategy, params), candles)
    engine.load(candles)
    engine.warm_up_to(first)
    funding = _due_funding(request, candles, first, data.funding)
    engine.add_funding(funding)
    engine.start(sparse=sparse)
    events = _advance(engine, first, stop, progress)
    events += engine.close_all(ExitReason.END)
    given = [code_sha256, params.model_dump(mode="json"), data.sha256]
    run_id = _run_id(request, given, funding)
    run = candles.derived(("run", first), lambda: candles.part(first, stop))
    return _results(request, engine, run, first, events, data, run_id)


def _run_range(request: BacktestRequest, candles: CandleSeries) -> tuple[int, int]:
    times = candles.timestamp
    first = 0 if request.start is None else int(np.searchsorted(times, request.start))
    stop = len(times) if request.end is None else int(np.searchsorted(times, request.end))
    if first >= stop:
        have = (
            f"the candles cover {format_time(int(times[0]))} to {format_time(int(times[-1]))}"
            if len(times)
            else "there are none"
        )
        raise InvalidRun(f"no candles in the asked period: {have}")
    return first, stop


def _build_engine(request: BacktestRequest, strategy: Strategy, candles: CandleSeries) -> Engine:
    executor = BacktestExecutor(FixedCosts(request.fee_rate, request.slippage_bps))
    return Engine(strategy, request.engine_config(), executor, base=candles.timeframe)


def _advance(engine: Engine, first: int, stop: int, progress: Progress | None) -> list[Event]:
    if progress is None:
        return engine.advance_to(stop)
    events: list[Event] = []
    for part in range(1, _PROGRESS_STEPS + 1):
        position = first + (stop - first) * part // _PROGRESS_STEPS
        events += engine.advance_to(position)
        progress(position - first, stop - first)
    return events


def _due_funding(
    request: BacktestRequest,
    candles: CandleSeries,
    first: int,
    funding: Sequence[tuple[int, float]],
) -> list[tuple[int, float]]:
    """Return what falls due behind the start of a run, up to the close of its last candle."""
    start = int(candles.timestamp[first]) if request.start is None else request.start
    end = int(candles.timestamp[-1]) + candles.step_ms
    return [(time, rate) for time, rate in funding if start < time <= end]


def _run_id(
    request: BacktestRequest, given: Sequence[Any], funding: Sequence[tuple[int, float]]
) -> str:
    config = {name: getattr(request, name) for name in request.__slots__ if name not in {"params"}}
    text = json.dumps([*given, config], sort_keys=True)
    paid = np.array(funding, dtype=np.float64).tobytes()
    return hashlib.sha256(text.encode() + paid).hexdigest()[:16]


def _results(
    request: BacktestRequest,
    engine: Engine,
    run: CandleSeries,
    first: int,
    events: Sequence[Event],
    data: BacktestData,
    run_id: str,
) -> BacktestResults:
    trades = tuple([event.trade for event in events if isinstance(event, PositionClosed)])
    equity = EquityCurve(run.close_time, mark_equity(engine.ledger, first, run.close))
    start, end = int(run.timestamp[0]), int(run.timestamp[-1]) + run.step_ms
    totals = engine.desk.totals
    price = _chart_timeframe(engine.strategy.smallest_timeframe(), run)
    return BacktestResults(
        run_id=run_id,
        strategy=request.strategy,
        params=engine.strategy.params.model_dump(mode="json"),
        symbol=request.symbol,
        exchange=request.exchange,
        timeframes=engine.strategy.timeframes,
        start=start,
        end=end,
        initial_balance=request.initial_balance,
        final_equity=engine.portfolio.balance,
        costs=Costs(totals.fees, totals.slippage, totals.funding),
        metrics=compute_metrics(
            trades=trades,
            time=equity.time,
            equity=equity.equity,
            initial_balance=request.initial_balance,
            closes=run.close,
            start=start,
            end=end,
        ),
        data=_passport(request, run, data, trades),
        trades=trades,
        rejected=_rejections(events),
        equity=equity,
        price=run.derived(("price", price), lambda: run.aggregate(price)),
        notes=_notes(request, run),
    )


def _passport(
    request: BacktestRequest, run: CandleSeries, data: BacktestData, trades: Sequence[Trade]
) -> DataPassport:
    gaps = run.gaps()
    touching = [
        trade.id
        for trade in (trades if gaps else ())
        if any(
            trade.entry_time <= gap.last + run.step_ms and trade.exit_time >= gap.first
            for gap in gaps
        )
    ]
    return DataPassport(
        source=request.exchange,
        timeframe=run.timeframe,
        candles=len(run),
        missing=sum(gap.missing for gap in gaps),
        gaps=gaps,
        sha256=data.sha256,
        volume_delta_source=data.volume_delta_source,
        trades_touching_gaps=tuple(touching),
    )


def _rejections(events: Sequence[Event]) -> tuple[Rejection, ...]:
    found: dict[str, Rejection] = {}
    for event in events:
        if isinstance(event, SignalRejected):
            known = found.get(event.reason, Rejection(event.reason, 0, event.time))
            found[event.reason] = Rejection(event.reason, known.count + 1, known.first_time)
    return tuple(found.values())


def _chart_timeframe(smallest: str, run: CandleSeries) -> str:
    minutes = get_timeframe_minutes(run.timeframe)
    for timeframe in TIMEFRAMES:
        length = get_timeframe_minutes(timeframe)
        if (
            length >= get_timeframe_minutes(smallest)
            and length % minutes == 0
            and len(run) * minutes / length <= _CHART_CANDLES
        ):
            return timeframe
    return TIMEFRAMES[-1]


def _notes(request: BacktestRequest, run: CandleSeries) -> tuple[str, ...]:
    notes = []
    if run.timeframe != "1m":
        notes.append(f"run on {run.timeframe} candles: stops and targets are resolved no finer")
    if request.start is not None and run.timestamp[0] > request.start:
        notes.append(
            f"candles begin at {format_time(int(run.timestamp[0]))}, after the asked start"
        )
    if request.end is not None and run.timestamp[-1] + run.step_ms < request.end:
        end = format_time(int(run.timestamp[-1]) + run.step_ms)
        notes.append(f"candles end at {end}, before the asked end")
    return tuple(notes)
