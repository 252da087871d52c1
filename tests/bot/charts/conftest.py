"""Made-up results of backtests, for charts: a seeded price path and trades upon it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.charts.chromium import find_chromium
from engine.candles import CandleSeries
from engine.metrics import Metrics
from engine.orders import ExitReason, Side, Trade
from engine.results import BacktestResults, Costs, DataPassport, EquityCurve, Timing
from engine.timeframe import DAY_MS, get_timeframe_ms

START = 1_640_995_200_000  # 2022-01-01T00:00:00Z
BALANCE = 10_000.0
REASONS = tuple(ExitReason)

Build = Callable[..., BacktestResults]


@pytest.fixture(scope="session")
def build() -> Build:
    """A function that makes results: `days`, `timeframe`, `trades`, `seed` and any field."""
    return build_results


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A browser; the test is skipped where there is none."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is installed here")
    return found


def build_results(
    *, days: float = 60, timeframe: str = "1h", trades: int = 24, seed: int = 7, **fields: object
) -> BacktestResults:
    candles = make_candles(days=days, timeframe=timeframe, seed=seed)
    made = make_trades(candles, count=trades, seed=seed)
    equity = make_equity(candles, made)
    results = BacktestResults(
        run_id="0f" * 32,
        strategy="ma_crossover",
        params={"fast_period": 50},
        symbol="BTC/USDT",
        exchange="binance",
        timeframes=(timeframe,),
        start=START,
        end=int(candles.close_time[-1]) if len(candles) else START,
        initial_balance=BALANCE,
        final_equity=float(equity[-1]) if len(equity) else BALANCE,
        costs=Costs(fees=12.0, slippage=3.0, funding=0.0),
        metrics=make_metrics(equity, made),
        data=DataPassport("binance", timeframe, len(candles), 0, (), "00" * 32),
        trades=made,
        rejected=(),
        equity=EquityCurve(candles.close_time, equity),
        price=candles,
        timing=Timing(0.1, 0.2, 0.3),
    )
    return replace(results, **fields)


def make_candles(*, days: float, timeframe: str, seed: int) -> CandleSeries:
    """A seeded random walk of prices that starts near 40,000."""
    random = np.random.default_rng(seed)
    step = get_timeframe_ms(timeframe)
    count = max(int(days * DAY_MS // step), 1) if days else 0
    swing = 0.03 * np.sqrt(step / DAY_MS)
    close = 40_000 * np.exp(np.cumsum(random.normal(0.00002, swing, count)))
    open_ = np.concatenate(([40_000.0], close[:-1]))[:count]
    wick = np.abs(random.normal(0, swing / 2, (2, count)))
    high = np.maximum(open_, close) * (1 + wick[0])
    low = np.minimum(open_, close) * (1 - wick[1])
    time = START + step * np.arange(count)
    return CandleSeries(timeframe, time, open_, high, low, close, np.ones(count))


def make_trades(candles: CandleSeries, *, count: int, seed: int) -> tuple[Trade, ...]:
    """Trades one after the other, long and short, with every reason for an exit among them."""
    random = np.random.default_rng(seed)
    cuts = np.sort(random.integers(0, max(len(candles), 1), 2 * count))
    return tuple(
        make_trade(candles, number, int(first), int(last))
        for number, (first, last) in enumerate(cuts.reshape(-1, 2), start=1)
    )


def make_trade(candles: CandleSeries, number: int, first: int, last: int) -> Trade:
    side = Side.LONG if number % 3 else Side.SHORT
    entry, out = float(candles.close[first]), float(candles.close[last])
    size = BALANCE / entry
    pnl = side.sign * size * (out - entry) - 0.001 * BALANCE
    won = pnl > 0
    reason = ExitReason.TAKE_PROFIT if won else ExitReason.STOP_LOSS
    return Trade(
        id=number,
        side=side,
        entry_time=int(candles.close_time[first]),
        entry_price=entry,
        exit_time=int(candles.close_time[last]),
        exit_price=out,
        size=size,
        size_usd=BALANCE,
        pnl=pnl,
        pnl_percent=100 * pnl / BALANCE,
        fees=0.001 * BALANCE,
        exit_reason=reason if number % 2 else REASONS[number // 2 % len(REASONS)],
        ambiguous=number % 7 == 0,
        stop_loss=min(entry, out) * 0.99 if side is Side.LONG else max(entry, out) * 1.01,
        take_profit=entry * (1 + 0.03 * side.sign) if number % 4 else None,
    )


def make_equity(candles: CandleSeries, trades: tuple[Trade, ...]) -> np.ndarray:
    """The balance with what is realised at exits and unrealised in between, at each close."""
    equity = np.full(len(candles), BALANCE)
    times = candles.close_time
    for trade in trades:
        first, last = np.searchsorted(times, (trade.entry_time, trade.exit_time))
        held = trade.side.sign * trade.size * (candles.close[first:last] - trade.entry_price)
        equity[first:last] += held
        equity[last:] += trade.pnl
    return np.maximum(equity, 1.0)


def make_metrics(equity: np.ndarray, trades: tuple[Trade, ...]) -> Metrics:
    none = dict.fromkeys(Metrics.__slots__)
    fallen = equity / np.maximum.accumulate(equity) - 1 if len(equity) else np.zeros(1)
    known = {
        "total_return_pct": 100 * (equity[-1] / BALANCE - 1) if len(equity) else None,
        "max_drawdown_pct": -100 * float(fallen.min()),
        "trades": len(trades),
    }
    return Metrics(**(none | known))
