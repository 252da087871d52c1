"""The summary of a backtest as plain text: aligned, at most 80 columns, no colour codes.

Records in, text out: figures are computed in `metrics`, and whoever asked for the text prints it.
"""

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from engine.candles import format_time
from engine.metrics import win_rate_pct
from engine.orders import Side
from engine.timeframe import get_timeframe_ms

if TYPE_CHECKING:
    from engine.results import BacktestResults

NOTHING: Final = "–"
SIMULATED_LABEL: Final = "simulated prices, not a real market"

_WIDTH: Final = 78
_COLUMN: Final = 37
_LABEL: Final = 14
_LISTED_GAPS: Final = 5
_LISTED_TRADES: Final = 12
_LISTED_REASONS: Final = 8
_HASH_DIGITS: Final = 12
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


def summarize(results: "BacktestResults") -> str:
    """Return a finished backtest as a table to read; a figure that doesn't exist shows as `–`."""
    sections = (
        _heading(results),
        _side_by_side(_result(results), _risk(results)),
        _side_by_side(_trades(results), _outcomes(results)) + _exits(results),
        _side_by_side(_sides(results), _costs(results)),
        _data(results),
        _rejected(results),
        _notes(results),
        _run(results),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def format_duration(duration_ms: float | None) -> str:
    """Return a duration in its two largest units, the rest cut off: 3d 4h, 12m, 45s."""
    if duration_ms is None:
        return NOTHING
    for (unit, length), (minor_unit, minor_length) in pairwise(_UNITS):
        if duration_ms >= length:
            count, rest = divmod(int(duration_ms), length)
            minor = rest // minor_length
            return f"{count}{unit} {minor}{minor_unit}" if minor else f"{count}{unit}"
    return f"{int(duration_ms) // 1000}s"


def _heading(results: "BacktestResults") -> list[str]:
    title = f"{results.strategy} on {results.symbol} ({results.exchange})"
    length = format_duration(results.end - results.start)
    params = ", ".join(f"{name}={value}" for name, value in results.params.items())
    lines = [*_wrap(title), "=" * _WIDTH]
    if "simulated" in (results.exchange, results.data.source):
        lines += _field("Prices", SIMULATED_LABEL)
    period = f"{_minute(results.start)} to {_minute(results.end)} UTC ({length})"
    lines += _field("Period", period)
    lines += _field("Timeframes", ", ".join(results.timeframes))
    return lines + _field("Parameters", params)


def _result(results: "BacktestResults") -> list[str]:
    metrics = results.metrics
    return _table(
        "RESULT",
        ("Initial balance, USD", _number(results.initial_balance)),
        ("Final equity, USD", _number(results.final_equity)),
        ("Total return", _percent(metrics.total_return_pct, sign="+")),
        ("Buy and hold", _percent(metrics.buy_and_hold_pct, sign="+")),
        ("CAGR", _percent(metrics.cagr_pct, sign="+")),
        ("Time in the market", _percent(metrics.exposure_pct)),
    )


def _risk(results: "BacktestResults") -> list[str]:
    metrics = results.metrics
    return _table(
        "RISK",
        ("Max drawdown", _percent(metrics.max_drawdown_pct)),
        ("Longest drawdown", format_duration(metrics.longest_drawdown_ms)),
        ("Average drawdown", format_duration(metrics.average_drawdown_ms)),
        ("Volatility per year", _percent(metrics.volatility_pct)),
        ("Sharpe ratio", _number(metrics.sharpe_ratio)),
        ("Sortino ratio", _number(metrics.sortino_ratio)),
        ("Calmar ratio", _number(metrics.calmar_ratio)),
    )


def _trades(results: "BacktestResults") -> list[str]:
    metrics = results.metrics
    return _table(
        "TRADES",
        ("Trades", f"{metrics.trades:,}"),
        ("Won, lost", f"{metrics.winning_trades:,}, {metrics.losing_trades:,}"),
        ("Win rate", _percent(metrics.win_rate_pct)),
        ("Profit factor", _number(metrics.profit_factor)),
        ("System quality (SQN)", _number(metrics.sqn)),
        ("Average holding time", format_duration(metrics.average_holding_ms)),
        ("Ambiguous (stop assumed)", f"{metrics.ambiguous_trades:,}"),
    )


def _outcomes(results: "BacktestResults") -> list[str]:
    metrics = results.metrics
    streaks = f"{metrics.longest_win_streak:,}, {metrics.longest_loss_streak:,}"
    return _table(
        "PROFIT PER TRADE",
        ("Expectancy, USD", _number(metrics.expectancy_usd, sign="+")),
        ("Average win, USD", _number(metrics.average_win_usd, sign="+")),
        ("Average loss, USD", _number(metrics.average_loss_usd, sign="+")),
        ("Best, USD", _number(metrics.best_trade_usd, sign="+")),
        ("Worst, USD", _number(metrics.worst_trade_usd, sign="+")),
        ("Best, of its size", _percent(metrics.best_trade_pct, sign="+")),
        ("Worst, of its size", _percent(metrics.worst_trade_pct, sign="+")),
        ("Win, loss streak", streaks),
    )


def _exits(results: "BacktestResults") -> list[str]:
    counts = Counter(str(trade.exit_reason) for trade in results.trades)
    text = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    return _field("Exits", text)


def _sides(results: "BacktestResults") -> list[str]:
    metrics = results.metrics
    lines = [f"{'SIDE':<6}{'trades':>8}{'won':>9}{'profit, USD':>14}"]
    for side, count, pnl in (
        (Side.LONG, metrics.long_trades, metrics.long_pnl_usd),
        (Side.SHORT, metrics.short_trades, metrics.short_pnl_usd),
    ):
        own = np.array([trade.pnl for trade in results.trades if trade.side == side], np.float64)
        won = _percent(win_rate_pct(own), digits=1)
        profit = _number(pnl, sign="+") if count else NOTHING
        lines.append(f"{side.capitalize():<6}{count:>8,}{won:>9}{profit:>14}")
    return lines


def _costs(results: "BacktestResults") -> list[str]:
    costs = results.costs
    return _table(
        "COSTS, USD",
        ("Fees", _number(costs.fees)),
        ("Slippage", _number(costs.slippage)),
        ("Funding", _number(costs.funding)),
    )


def _data(results: "BacktestResults") -> list[str]:
    data = results.data
    missing = f"{data.missing:,} ({_percent(data.missing_pct)})"
    if data.gaps:
        missing += f" in {_count(len(data.gaps), 'gap')}"
        missing += "; the largest:" if len(data.gaps) > _LISTED_GAPS else ":"
    lines = ["DATA", *_field("Source", data.source)]
    lines += _field("Candles", f"{data.candles:,} of {data.timeframe}")
    lines += _field("Missing", missing)
    for text in _gap_texts(results):
        lines += _field("", text)
    if data.trades_touching_gaps:
        lines += _field("Gaps touched", _touching(data.trades_touching_gaps))
    if data.volume_delta_source:
        lines += _field("Volume delta", data.volume_delta_source)
    return lines + _field("SHA-256", data.sha256[:_HASH_DIGITS])


def _gap_texts(results: "BacktestResults") -> list[str]:
    data = results.data
    largest = sorted(data.gaps, key=lambda gap: (-gap.missing, gap.first))[:_LISTED_GAPS]
    step = get_timeframe_ms(data.timeframe)
    texts = [
        f"{_minute(gap.first)}, {format_duration(gap.missing * step)},"
        f" {_count(gap.missing, 'candle')}"
        for gap in largest
    ]
    return texts + _more(len(data.gaps) - len(largest))


def _touching(trades: Sequence[int]) -> str:
    listed = [str(trade) for trade in trades[:_LISTED_TRADES]]
    listed += _more(len(trades) - len(listed))
    return f"by {_count(len(trades), 'trade')}: {', '.join(listed)}"


def _rejected(results: "BacktestResults") -> list[str]:
    if not results.rejected:
        return []
    lines = [f"REJECTED SIGNALS: {sum(entry.count for entry in results.rejected):,}"]
    entries = sorted(results.rejected, key=lambda entry: -entry.count)
    for entry in entries[:_LISTED_REASONS]:
        text = f"{entry.reason} (first {_minute(entry.first_time)})"
        lines += _field(f"{entry.count:>11,} ×", text)
    for text in _more(len(entries) - _LISTED_REASONS):
        lines += _field("", f"{text} reasons")
    return lines


def _notes(results: "BacktestResults") -> list[str]:
    if not results.notes:
        return []
    wrapped = (_wrap(f"- {note}", " " * 2) for note in results.notes)
    return ["NOTES", *(line for lines in wrapped for line in lines)]


def _run(results: "BacktestResults") -> list[str]:
    timing, spent = results.timing, ""
    if timing:
        parts = f"data {timing.load_s:,.2f} s, engine {timing.engine_s:,.2f} s"
        spent = f"{timing.total_s:,.2f} s ({parts})"
    return [*_field("Run", results.run_id), *_field("Took", spent)]


def _table(title: str, *rows: tuple[str, str]) -> list[str]:
    return [title, *(f"{label}{value:>{_COLUMN - len(label)}}" for label, value in rows)]


def _side_by_side(left: Sequence[str], right: Sequence[str]) -> list[str]:
    gap = _WIDTH - _COLUMN
    return [f"{a:<{gap}}{b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]


def _field(label: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, _WIDTH - _LABEL, break_on_hyphens=False) or [NOTHING]
    labels = (label, *[""] * (len(wrapped) - 1))
    return [f"{a:<{_LABEL}}{b}" for a, b in zip(labels, wrapped, strict=True)]


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _more(count: int) -> list[str]:
    return [f"and {count:,} more"] if count > 0 else []


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _minute(timestamp: int) -> str:
    return format_time(timestamp)[:16].replace("T", " ")


def _number(value: float | None, *, digits: int = 2, sign: Literal["", "+"] = "") -> str:
    if value is None:
        return NOTHING
    if round(value, digits) == 0:
        sign = ""  # +0.00 would tell of a gain where there was a tiny loss
    # "z" turns -0.00 into 0.00; beyond a billion, figures would burst their column.
    return f"{value:{sign}z,.{digits}f}" if abs(value) < 1e9 else f"{value:{sign}.6g}"


def _percent(value: float | None, *, digits: int = 2, sign: Literal["", "+"] = "") -> str:
    return NOTHING if value is None else f"{_number(value, digits=digits, sign=sign)} %"
