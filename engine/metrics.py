"""One pure function per metric, and the record that holds them all. Arrays in, numbers out."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of a run; a figure that doesn't exist (no trades, no loss) is None, never NaN."""

    total_return_pct: float | None
    win_rate_pct: float | None
    profit_factor: float | None
    max_drawdown_pct: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    cagr_pct: float | None
    expectancy_usd: float | None
    exposure_pct: float | None
    buy_and_hold_pct: float | None
    trades: int
    average_drawdown_ms: float | None
    longest_drawdown_ms: int | None
    average_win_usd: float | None
    average_loss_usd: float | None
    best_trade_usd: float | None
    worst_trade_usd: float | None
    best_trade_pct: float | None
    worst_trade_pct: float | None
    longest_win_streak: int
    longest_loss_streak: int
    average_holding_ms: float | None
    long_trades: int
    short_trades: int
    long_pnl_usd: float
    short_pnl_usd: float
    sqn: float | None
    total_fees_usd: float
    ambiguous_trades: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in self.__slots__}
