"""What a backtest gives back: frozen records that can be pickled, and their summary as text.

Figures and files of charts are drawn elsewhere, through the `ChartWriter` that a composer hands in.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, Self

from engine.candles import CandleSeries, FloatArray, Gap, IntArray, format_time
from engine.errors import InvalidRun
from engine.metrics import Metrics
from engine.orders import Trade
from engine.summary import summarize

TRADE_FIELDS: Final = (
    "id",
    "side",
    "entry_time",
    "entry_price",
    "exit_time",
    "exit_price",
    "size",
    "size_usd",
    "pnl",
    "pnl_percent",
    "fees",
    "exit_reason",
    "ambiguous",
)


class ChartWriter(Protocol):
    """Draws the charts of a backtest into files (`.html` or `.png`, by the path's suffix)."""

    def write_equity(self, results: "BacktestResults", path: Path) -> None:
        """Draw equity, drawdown and buy-and-hold."""

    def write_trades(self, results: "BacktestResults", path: Path) -> None:
        """Draw candles with entries and exits."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading cost in USD; funding is negative when the account received it."""

    fees: float
    slippage: float
    funding: float


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Equity in USD at every base close: `time` holds close times in ms UTC."""

    time: IntArray
    equity: FloatArray


@dataclass(frozen=True, slots=True)
class DataPassport:
    """Where the candles of a run came from and what is missing among them."""

    source: str
    timeframe: str
    candles: int
    missing: int
    gaps: tuple[Gap, ...]
    sha256: str
    volume_delta_source: str | None = None
    trades_touching_gaps: tuple[int, ...] = ()

    @property
    def missing_pct(self) -> float:
        """The share of candles that are missing, in percent."""
        return 100 * self.missing / max(self.candles + self.missing, 1)


@dataclass(frozen=True, slots=True)
class Rejection:
    """How often signals were refused for one reason, and when first (ms UTC)."""

    reason: str
    count: int
    first_time: int


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the parts of a run took, in seconds."""

    load_s: float
    engine_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class BacktestResults:
    """A finished backtest: times in ms UTC, money in USD.

    `price` holds the run's candles for charts, at the strategy's timeframe or a coarser one;
    `run_id` is a hash of code, parameters, candles, funding and configuration.
    """

    run_id: str
    strategy: str
    params: Mapping[str, Any]
    symbol: str
    exchange: str
    timeframes: tuple[str, ...]
    start: int
    end: int
    initial_balance: float
    final_equity: float
    costs: Costs
    metrics: Metrics
    data: DataPassport
    trades: tuple[Trade, ...]
    rejected: tuple[Rejection, ...]
    equity: EquityCurve
    price: CandleSeries
    timing: Timing | None = None
    notes: tuple[str, ...] = ()
    charts: ChartWriter | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO-8601, what doesn't exist is None."""
        return {
            "run_id": self.run_id,
            "strategy": self.strategy,
            "params": dict(self.params),
            "symbol": self.symbol,
            "exchange": self.exchange,
            "start": format_time(self.start),
            "end": format_time(self.end),
            "initial_balance": self.initial_balance,
            "final_equity": self.final_equity,
            "costs": _fields(self.costs),
            "metrics": self.metrics.to_json(),
            "data": self._data_json(),
            "trades": [trade_to_json(trade) for trade in self.trades],
            "rejected": [
                {"reason": r.reason, "count": r.count, "first_time": format_time(r.first_time)}
                for r in self.rejected
            ],
            "notes": list(self.notes),
            "timing": _fields(self.timing) if self.timing else None,
        }

    def summary(self) -> str:
        """Return the run as a plain-text table of at most 80 columns."""
        return summarize(self)

    def trades_csv(self) -> str:
        """Return the trades as CSV, one line each, with a header."""
        out = io.StringIO()
        writer = csv.DictWriter(out, TRADE_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(trade_to_json(trade) for trade in self.trades)
        return out.getvalue()

    def export_trades(self, path: str | Path) -> None:
        """Write the trades as CSV to a file that the caller names."""
        Path(path).write_text(self.trades_csv(), encoding="utf-8")

    def with_charts(self, charts: ChartWriter) -> Self:
        """Return the same results, able to draw themselves."""
        return replace(self, charts=charts)

    def plot_equity_curve(self, path: str | Path) -> None:
        """Draw equity, drawdown and buy-and-hold to an `.html` or `.png` file."""
        self._writer().write_equity(self, Path(path))

    def plot_trades(self, path: str | Path) -> None:
        """Draw candles with entries and exits to an `.html` or `.png` file."""
        self._writer().write_trades(self, Path(path))

    def _writer(self) -> ChartWriter:
        if self.charts is None:
            raise InvalidRun("these results have no chart writer: use with_charts(...) first")
        return self.charts

    def _data_json(self) -> dict[str, Any]:
        return {
            "source": self.data.source,
            "timeframe": self.data.timeframe,
            "candles": self.data.candles,
            "missing": self.data.missing,
            "missing_pct": self.data.missing_pct,
            "gaps": [
                {
                    "first": format_time(gap.first),
                    "last": format_time(gap.last),
                    "missing": gap.missing,
                }
                for gap in self.data.gaps
            ],
            "sha256": self.data.sha256,
            "volume_delta_source": self.data.volume_delta_source,
            "trades_touching_gaps": list(self.data.trades_touching_gaps),
        }


def trade_to_json(trade: Trade) -> dict[str, Any]:
    """Return a trade as plain values; times are ISO-8601 UTC."""
    values = {name: getattr(trade, name) for name in TRADE_FIELDS}
    return values | {
        "side": str(trade.side),
        "entry_time": format_time(trade.entry_time),
        "exit_time": format_time(trade.exit_time),
        "exit_reason": str(trade.exit_reason),
    }


def _fields(record: Any) -> dict[str, float]:
    return {name: getattr(record, name) for name in record.__slots__}
