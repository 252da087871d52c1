"""What users ask for and what they get back: frozen records between cogs, jobs and services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from data.series_key import Coverage, SeriesKey
from engine.engine import FillMode
from engine.results import BacktestResults


class JobKind(StrEnum):
    """What a job does."""

    BACKTEST = "backtest"
    FETCH = "fetch"
    CHECK = "check"


class JobState(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class BacktestAsk:
    """A backtest as a user asked for it; texts are checked by the service, None means default."""

    strategy: str
    symbol: str | None = None
    start: str | None = None
    end: str | None = None
    initial_balance: float | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    fill: FillMode = "close"


@dataclass(frozen=True, slots=True)
class FetchAsk:
    """Candles that a user wants in the cache; no start and end tops up."""

    symbol: str | None = None
    timeframe: str = "1m"
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is: `done` of `total` in the stage's own unit, seconds remaining if known."""

    stage: str
    done: int
    total: int
    remaining_s: float | None = None

    @property
    def fraction(self) -> float:
        """The share that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished backtest on disk: what the channel shows, and where its files lie.

    `results` comes without its equity curve and candles (both are empty): those stay in the
    worker process. `folder` holds request.json, results.json, trades.csv, equity.html,
    trades.html; `figures` are Plotly figures as JSON by name: equity, trades, monthly.
    """

    ask: BacktestAsk
    results: BacktestResults
    folder: Path
    figures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BacktestOutcome:
    """What a backtest job ends with: `pictures` are PNG by figure name, `notices` for the user."""

    report: RunReport
    pictures: Mapping[str, bytes]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """What a fetch job ends with: how many candles came, and what the cache holds now."""

    key: SeriesKey
    fetched: int
    coverage: Coverage | None
    notices: tuple[str, ...] = ()
