"""A forward test as results: those of a backtest over its period, from what it stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.services.forward.session import ForwardConfig, ForwardSession
from data.cache import sha256_of
from data.storage.records import ForwardEvent, ForwardTest, StoredTrade
from engine.candles import CandleSeries, format_time
from engine.metrics import compute_metrics
from engine.orders import ExitReason, PositionClosed, Trade
from engine.results import EquityCurve, trade_to_json


@dataclass(frozen=True, slots=True)
class Ending:
    """How a test stands if all is closed at the last close: trades, equity and costs in USD."""

    trades: tuple[Trade, ...]
    equity: float
    costs: Mapping[str, float]


def end_of(session: ForwardSession) -> Ending:
    """Close everything in a session that is no longer used; what is stored stays as it is."""
    events = session.engine.close_all(ExitReason.END)
    trades = tuple(event.trade for event in events if isinstance(event, PositionClosed))
    totals = asdict(session.engine.desk.totals)
    return Ending(trades, session.engine.portfolio.balance, totals)


def forward_json(
    test: ForwardTest,
    trades: Sequence[StoredTrade],
    ending: Ending,
    curve: EquityCurve,
    candles: CandleSeries | None,
    events: Sequence[ForwardEvent],
) -> dict[str, Any]:
    """Return a forward test in the form of a backtest's JSON, `recovered` on each trade.

    Positions that are still open are shown as closed at the last close, reason `end`, as a
    backtest shows them (`ending`); in the test itself they stay open. `candles` are those it
    traded, None where they can't be had.
    """
    config = ForwardConfig.from_json(test.config)
    end = int(curve.time[-1]) if len(curve.time) else config.started_at
    all_trades = [*(stored.trade for stored in trades), *ending.trades]
    equity = curve.equity.copy()
    equity[-1:] = ending.equity
    metrics = compute_metrics(
        trades=all_trades,
        time=curve.time,
        equity=equity,
        initial_balance=config.initial_balance,
        closes=curve.equity[:0] if candles is None else candles.close,
        start=config.started_at,
        end=end,
    )
    return {
        "run_id": f"forward-{test.id}",
        "test": test.name,
        "status": str(test.status),
        "fault": test.fault,
        "strategy": test.strategy,
        "params": dict(test.params),
        "symbol": test.symbol,
        "exchange": test.exchange,
        "start": format_time(config.started_at),
        "end": format_time(end),
        "initial_balance": config.initial_balance,
        "final_equity": ending.equity,
        "costs": ending.costs,
        "metrics": metrics.to_json(),
        "data": None if candles is None else _data_json(test, candles),
        "trades": [
            *(stored_trade_json(stored) for stored in trades),
            *({**trade_to_json(trade), "recovered": False} for trade in ending.trades),
        ],
        "rejected": _rejected_json(events),
        "notes": [],
        "timing": None,
    }


def stored_trade_json(stored: StoredTrade) -> dict[str, Any]:
    """Return a stored trade as plain values."""
    return {**trade_to_json(stored.trade), "recovered": stored.recovered}


def _data_json(test: ForwardTest, candles: CandleSeries) -> dict[str, Any]:
    gaps = candles.gaps()
    return {
        "source": test.exchange,
        "timeframe": candles.timeframe,
        "candles": len(candles),
        "missing": sum(gap.missing for gap in gaps),
        "gaps": [
            {"first": format_time(gap.first), "last": format_time(gap.last), "missing": gap.missing}
            for gap in gaps
        ],
        "sha256": sha256_of(candles),
    }


def _rejected_json(events: Sequence[ForwardEvent]) -> list[dict[str, Any]]:
    found: dict[str, list[int]] = {}
    for event in events:
        if event.kind == "signal_rejected":
            found.setdefault(event.details["reason"], []).append(event.time)
    told = sorted((min(times), reason, len(times)) for reason, times in found.items())
    return [
        {"reason": reason, "count": count, "first_time": format_time(first)}
        for first, reason, count in told
    ]
