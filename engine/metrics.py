"""One pure function per metric, and the record that holds them all. Arrays in, numbers out.

Equity is marked at every base close; ratios use daily (UTC) returns, 365 days a year and a
risk-free rate of 0. A figure that doesn't exist is None. No candles, no I/O, no formatting here.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.candles import FloatArray, IntArray
from engine.equity import (
    average_drawdown_ms,
    daily_returns,
    drawdown_durations_ms,
    longest_drawdown_ms,
    max_drawdown_pct,
)
from engine.orders import Trade
from engine.timeframe import DAY_MS

DAYS_PER_YEAR: Final = 365
YEAR_MS: Final = DAYS_PER_YEAR * DAY_MS

# A spread below this share of its scale is rounding: dividing by it would give absurd ratios.
_ROUNDING: Final = 1e-12


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
    winning_trades: int = 0
    losing_trades: int = 0
    volatility_pct: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def compute_metrics(
    *,
    trades: Sequence[Trade],
    time: IntArray,
    equity: FloatArray,
    initial_balance: float,
    closes: FloatArray,
    start: int,
    end: int,
) -> Metrics:
    """Return all figures of a run.

    `time` and `equity` are the marks at the base closes, oldest first, the last one after every
    position was closed; `closes` are the base closes; `start` and `end` bound the run in ms UTC.
    `trades` come in the order in which they were closed; `initial_balance` is positive.
    """
    pnl, pnl_percent = _column(trades, "pnl"), _column(trades, "pnl_percent")
    entry_time = _column(trades, "entry_time", np.int64)
    exit_time = _column(trades, "exit_time", np.int64)
    is_long = _column(trades, "side.sign") > 0
    returns = daily_returns(time, equity, initial_balance=initial_balance)
    drawdowns = drawdown_durations_ms(time, equity, initial_balance=initial_balance, start=start)
    cagr = cagr_pct(equity, initial_balance, start=start, end=end)
    drawdown = max_drawdown_pct(equity, initial_balance)
    return Metrics(
        total_return_pct=total_return_pct(equity, initial_balance),
        win_rate_pct=win_rate_pct(pnl),
        profit_factor=profit_factor(pnl),
        max_drawdown_pct=drawdown,
        sharpe_ratio=sharpe_ratio(returns),
        sortino_ratio=sortino_ratio(returns),
        calmar_ratio=calmar_ratio(cagr, drawdown),
        cagr_pct=cagr,
        expectancy_usd=expectancy_usd(pnl),
        exposure_pct=exposure_pct(time, entry_time=entry_time, exit_time=exit_time),
        buy_and_hold_pct=buy_and_hold_pct(closes),
        trades=len(trades),
        average_drawdown_ms=average_drawdown_ms(drawdowns),
        longest_drawdown_ms=longest_drawdown_ms(drawdowns),
        average_win_usd=average_win_usd(pnl),
        average_loss_usd=average_loss_usd(pnl),
        best_trade_usd=best_trade(pnl),
        worst_trade_usd=worst_trade(pnl),
        best_trade_pct=best_trade(pnl_percent),
        worst_trade_pct=worst_trade(pnl_percent),
        longest_win_streak=longest_win_streak(pnl),
        longest_loss_streak=longest_loss_streak(pnl),
        average_holding_ms=average_holding_ms(entry_time, exit_time),
        long_trades=int(is_long.sum()),
        short_trades=int((~is_long).sum()),
        long_pnl_usd=float(pnl[is_long].sum()),
        short_pnl_usd=float(pnl[~is_long].sum()),
        sqn=sqn(pnl),
        total_fees_usd=float(sum(map(attrgetter("fees"), trades))),
        ambiguous_trades=sum(map(attrgetter("ambiguous"), trades)),
        winning_trades=int((pnl > 0).sum()),
        losing_trades=int((pnl < 0).sum()),
        volatility_pct=volatility_pct(returns),
    )


def total_return_pct(equity: FloatArray, initial_balance: float) -> float | None:
    """Return 100 * (last equity / initial balance - 1): percent, negative for a loss."""
    return _finite(100 * (float(equity[-1]) / initial_balance - 1)) if len(equity) else None


def cagr_pct(equity: FloatArray, initial_balance: float, *, start: int, end: int) -> float | None:
    """Return the compound annual growth rate in percent, negative for a loss.

    100 * ((last equity / initial balance) ^ (365 days / elapsed) - 1) on the time from `start` to
    `end`. None for a debt, which has no growth rate, and where a short run's figure overflows.
    """
    if not len(equity) or end <= start or equity[-1] < 0:
        return None
    try:
        growth = (float(equity[-1]) / initial_balance) ** (YEAR_MS / (end - start))
    except OverflowError:
        return None
    return _finite(100 * (growth - 1))


def buy_and_hold_pct(closes: FloatArray) -> float | None:
    """Return 100 * (last close / first close - 1): percent, without costs, negative for a fall."""
    return _finite(100 * (float(closes[-1]) / float(closes[0]) - 1)) if len(closes) else None


def volatility_pct(returns: FloatArray) -> float | None:
    """Return the yearly volatility in percent: 100 * std(daily returns, ddof=1) * sqrt(365)."""
    if len(returns) < 2:
        return None
    return _finite(100 * float(returns.std(ddof=1)) * math.sqrt(DAYS_PER_YEAR))


def sharpe_ratio(returns: FloatArray) -> float | None:
    """Return the yearly Sharpe ratio of daily returns: mean / std(ddof=1) * sqrt(365).

    The risk-free rate is 0; negative for a mean loss; None for fewer than two days or no variation.
    Sharpe, The Sharpe Ratio, Journal of Portfolio Management (1994).
    """
    if len(returns) < 2:
        return None
    return _yearly_ratio(float(returns.mean()), float(returns.std(ddof=1)))


def sortino_ratio(returns: FloatArray) -> float | None:
    """Return the yearly Sortino ratio of daily returns: mean / downside deviation * sqrt(365).

    The downside deviation is sqrt(mean(min(r, 0)^2)) over all days, the target return is 0; None
    for fewer than two days or no losing day. Sortino and Price, Performance Measurement in a
    Downside Risk Framework, Journal of Investing (1994).
    """
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.square(np.minimum(returns, 0)).mean()))
    return _yearly_ratio(float(returns.mean()), downside)


def calmar_ratio(cagr: float | None, max_drawdown: float | None) -> float | None:
    """Return CAGR / max drawdown (both in percent) over the whole run; None without a drawdown.

    Young, Calmar Ratio: A Smoother Tool, Futures (1991), who takes the last 36 months.
    """
    if cagr is None or not max_drawdown:
        return None
    return _finite(cagr / max_drawdown)


def exposure_pct(time: IntArray, *, entry_time: IntArray, exit_time: IntArray) -> float | None:
    """Return the share of base candles in percent during which a position was open.

    The candle that closes at a mark counts when the mark lies behind the entry and not behind the
    exit of a trade; positions held at the same time count once.
    """
    if not len(time):
        return None
    order = np.argsort(entry_time)
    first = np.searchsorted(time, entry_time[order], side="right")
    reach = np.maximum.accumulate(np.searchsorted(time, exit_time[order], side="right"))
    reached_before = np.concatenate((np.zeros(1, dtype=np.int64), reach))[:-1]
    covered = np.maximum(reach - np.maximum(first, reached_before), 0).sum()
    return 100 * int(covered) / len(time)


def win_rate_pct(pnl: FloatArray) -> float | None:
    """Return the share of trades with a profit in percent; one with pnl 0 hasn't any."""
    return 100 * int((pnl > 0).sum()) / len(pnl) if len(pnl) else None


def profit_factor(pnl: FloatArray) -> float | None:
    """Return gross win / gross loss, a positive number; None when nothing was lost."""
    gross_win, gross_loss = float(pnl[pnl > 0].sum()), -float(pnl[pnl < 0].sum())
    return _finite(gross_win / gross_loss) if gross_loss > 0 else None


def expectancy_usd(pnl: FloatArray) -> float | None:
    """Return the mean profit per trade in USD, negative for a loss."""
    return _mean(pnl)


def average_win_usd(pnl: FloatArray) -> float | None:
    """Return the mean profit of the winning trades in USD."""
    return _mean(pnl[pnl > 0])


def average_loss_usd(pnl: FloatArray) -> float | None:
    """Return the mean loss of the losing trades in USD, a negative number."""
    return _mean(pnl[pnl < 0])


def best_trade(pnl: FloatArray) -> float | None:
    """Return the highest profit, in the unit of `pnl`; negative when every trade lost."""
    return float(pnl.max()) if len(pnl) else None


def worst_trade(pnl: FloatArray) -> float | None:
    """Return the lowest profit, in the unit of `pnl`; negative for a loss."""
    return float(pnl.min()) if len(pnl) else None


def longest_win_streak(pnl: FloatArray) -> int:
    """Return the most trades in a row with a profit; a trade with pnl 0 ends a streak."""
    return _longest_run((pnl > 0).tolist())


def longest_loss_streak(pnl: FloatArray) -> int:
    """Return the most trades in a row with a loss; a trade with pnl 0 ends a streak."""
    return _longest_run((pnl < 0).tolist())


def average_holding_ms(entry_time: IntArray, exit_time: IntArray) -> float | None:
    """Return the mean time from entry to exit in ms."""
    return float((exit_time - entry_time).mean()) if len(entry_time) else None


def sqn(pnl: FloatArray) -> float | None:
    """Return the system quality number: sqrt(trades) * mean(pnl) / std(pnl, ddof=1).

    Negative for a mean loss; None for fewer than two trades or no variation. Van Tharp, Definitive
    Guide to Position Sizing (2008), on pnl instead of R multiples, and without his cap at 100
    trades.
    """
    if len(pnl) < 2:
        return None
    spread = float(pnl.std(ddof=1))
    if spread <= _ROUNDING * float(np.abs(pnl).max()):
        return None
    return _finite(math.sqrt(len(pnl)) * float(pnl.mean()) / spread)


def _yearly_ratio(mean: float, spread: float) -> float | None:
    # Equity carries about 16 digits, so returns are known to about 1e-16 whatever their size.
    if spread <= _ROUNDING * max(1.0, abs(mean)):
        return None
    return _finite(mean / spread * math.sqrt(DAYS_PER_YEAR))


def _longest_run(flags: Iterable[bool]) -> int:
    return max((len(list(run)) for flag, run in groupby(flags) if flag), default=0)


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _column(trades: Sequence[Trade], name: str, dtype: Any = np.float64) -> npt.NDArray[Any]:
    return np.fromiter(map(attrgetter(name), trades), dtype, len(trades))
