"""A forward test as results: those of a backtest over its period, from what it stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.services.forward.session import ForwardConfig, ForwardSession
from data.storage.records import ForwardTest, StoredTrade
from engine.candles import FloatArray, format_time
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
    closes: FloatArray,
) -> dict[str, Any]:
    """Return a forward test in the form of a backtest's JSON, `recovered` on each trade.

    Positions that are still open are shown as closed at the last close, reason `end`, as a
    backtest shows them (`ending`); in the test itself they stay open.
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
        closes=closes,
        start=config.started_at,
        end=end,
    )
    return {
        "run_id": f"forward-{test.id}",
        "test": test.name,
        "status": str(test.status),
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
        "trades": [
            *(stored_trade_json(stored) for stored in trades),
            *({**trade_to_json(trade), "recovered": False} for trade in ending.trades),
        ],
    }


def stored_trade_json(stored: StoredTrade) -> dict[str, Any]:
    """Return a stored trade as plain values."""
    return {**trade_to_json(stored.trade), "recovered": stored.recovered}
