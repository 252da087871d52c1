"""Say where the engine's run of a case differs from the reference's. Nothing is run here."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from engine.orders import Event, PositionClosed, SignalRejected, Trade
from engine.results import BacktestResults
from engine.timeframe import DAY_MS, get_timeframe_ms
from tests.engine.reference.account import ClosedTrade
from tests.engine.reference.runs import Seen, Sight
from tests.engine.reference.simulator import ReferenceRun

EXACT_FIELDS = ("id", "side", "entry_time", "exit_time", "exit_reason", "ambiguous")
LEVEL_FIELDS = ("stop_loss", "take_profit")
PRICE_FIELDS = ("entry_price", "exit_price", "size", "size_usd", "fees", "slippage")
PROFIT_FIELDS = ("pnl", "pnl_percent")
HISTORY_MS = 365 * DAY_MS
TOLERANCE = 1e-9

KINDS = {
    "size is not positive": "size",
    "equity is not positive": "equity",
    "stop loss is not a price": "level",
    "take profit is not a price": "level",
    "stop loss is on the wrong side of the price": "level",
    "take profit is on the wrong side of the price": "level",
    "over max_leverage": "leverage",
    "unknown position id": "unknown_position",
}


def find_differences(
    run: ReferenceRun, seen: Seen, results: BacktestResults, engine_seen: Seen
) -> list[str]:
    """Return each difference as a line, nothing where both agree."""
    scale = max([1.0, *(abs(equity) for _, equity in run.equity)])
    found = [*compare_sights(seen.calls, engine_seen.calls, scale)]
    found += compare_trades(run.trades, results.trades)
    found += compare_rejections(run, results)
    found += compare_equity(run, results, scale)
    pairs = (
        ("final_equity", run.final_equity, results.final_equity),
        ("fees", run.fees, results.costs.fees),
        ("slippage", run.slippage, results.costs.slippage),
        ("funding", run.funding, results.costs.funding),
    )
    for name, expected, got in pairs:
        if not is_close(expected, got, scale):
            found.append(f"{name}: reference {expected!r}, engine {got!r}")
    return found


def is_close(expected: float, got: float, scale: float) -> bool:
    """Tell whether two sums agree; `scale` is the size of what was added and taken away."""
    return math.isclose(expected, got, rel_tol=TOLERANCE, abs_tol=1e-12 * scale)


def compare_trades(expected: Sequence[ClosedTrade], got: Sequence[Trade]) -> Iterable[str]:
    """Yield where two lists of trades differ, both in the order of their exits."""
    if len(expected) != len(got):
        yield f"trades: reference {len(expected)}, engine {len(got)}"
    for ours, theirs in zip(expected, got, strict=False):
        for name in (*EXACT_FIELDS, *LEVEL_FIELDS):
            if getattr(ours, name) != getattr(theirs, name):
                yield trade_difference(name, ours, theirs)
        for name in PRICE_FIELDS:
            if not math.isclose(getattr(ours, name), getattr(theirs, name), rel_tol=TOLERANCE):
                yield trade_difference(name, ours, theirs)
        for name in PROFIT_FIELDS:
            scale = ours.size_usd if name == "pnl" else 100.0
            if not is_close(getattr(ours, name), getattr(theirs, name), scale):
                yield trade_difference(name, ours, theirs)


def trade_difference(name: str, ours: ClosedTrade, theirs: Trade) -> str:
    """Return one line about a field in which a trade differs."""
    values = f"reference {getattr(ours, name)!r}, engine {getattr(theirs, name)!r}"
    return f"trade {ours.id} {name}: {values}\n    {ours}\n    {theirs}"


def compare_rejections(run: ReferenceRun, results: BacktestResults) -> Iterable[str]:
    """Yield where the counts or first times of refused signals differ, by kind."""
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for rejection in results.rejected:
        kind = KINDS[rejection.reason]
        counts[kind] += rejection.count
        first[kind] = min(first.get(kind, rejection.first_time), rejection.first_time)
    expected_counts = Counter(kind for _, kind in run.rejections)
    expected_first = {kind: time for time, kind in reversed(run.rejections)}
    if counts != expected_counts:
        yield f"rejections: reference {expected_counts}, engine {counts}"
    if first != expected_first:
        yield f"first rejections: reference {expected_first}, engine {first}"


def compare_events(run: ReferenceRun, events: Sequence[Event]) -> Iterable[str]:
    """Yield where an engine's events differ from the reference, each rejection included."""
    trades = [event.trade for event in events if isinstance(event, PositionClosed)]
    yield from compare_trades(run.trades, trades)
    refused = [(e.time, KINDS[e.reason]) for e in events if isinstance(e, SignalRejected)]
    if refused != run.rejections:
        yield f"rejections: reference {run.rejections}, engine {refused}"


def compare_equity(run: ReferenceRun, results: BacktestResults, scale: float) -> Iterable[str]:
    """Yield the first mark of equity that differs."""
    times, marks = results.equity.time.tolist(), results.equity.equity.tolist()
    if times != [time for time, _ in run.equity]:
        yield "equity is marked at other times"
        return
    for (time, expected), got in zip(run.equity, marks, strict=True):
        if not is_close(expected, got, scale):
            yield f"equity at {time}: reference {expected!r}, engine {got!r}"
            return


def compare_sights(expected: Sequence[Sight], got: Sequence[Sight], scale: float) -> Iterable[str]:
    """Yield the first call at which the strategies saw different things."""
    if len(expected) != len(got):
        yield f"calls: reference {len(expected)}, engine {len(got)}"
    for call, (ours, theirs) in enumerate(zip(expected, got, strict=False)):
        candles = {
            timeframe: (min(count, HISTORY_MS // get_timeframe_ms(timeframe)), latest)
            for timeframe, (count, latest) in ours.candles.items()
        }
        if candles != theirs.candles:
            yield f"call {call} saw: reference {candles}, engine {theirs.candles}"
            return
        if ours.positions != theirs.positions or not is_close(ours.equity, theirs.equity, scale):
            yield f"call {call} saw: reference {ours}, engine {theirs}"
            return
