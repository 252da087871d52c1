"""How forward tests went in a period: their books summed up. Reads only; renders and sends nothing.

A period excludes its start and includes its end: the candle that closes at midnight belongs to the
day before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bot.charts.sampling import drawdown_pct
from bot.services.alert_kinds import FAULT, STALL
from bot.services.forward.alerts import TEST_CHANNEL
from bot.services.forward.overview import ForwardView, view_test
from bot.services.forward.runner import ForwardRunner
from data.database import Database
from data.storage.records import EquityMark, ForwardTest, ForwardTestStatus
from engine.results import EquityCurve
from engine.timeframe import MINUTE_MS

_ACTIVE: Final = (ForwardTestStatus.RUNNING, ForwardTestStatus.PAUSED)
_OUTAGE: Final = "stream_down"
# So late may the last candle be without a word.
_LATE_MS: Final = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time in ms UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a period brought: equity before and after, trades closed, positions now open; USD."""

    before: float
    equity: float
    trades: int
    won: int
    pnl: float
    positions: int

    @property
    def change(self) -> float:
        """What equity changed by."""
        return self.equity - self.before

    @property
    def change_percent(self) -> float | None:
        """What equity changed by, in percent of that before; None where there was none."""
        return 100 * (self.equity / self.before - 1) if self.before > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSummary(Outcome):
    """The book of one test in a period.

    `unrealized` is that of what is open now, None where it isn't known. `drawdown_pct` is the
    deepest fall below the highest equity so far in the period, never positive. `outages` counts
    breaks of the stream, `stalls` those that lasted. `no_candles_since` is when (ms) its candles,
    and with them its figures, end early; None where they reach the end.
    """

    test_id: int
    test: str
    strategy: str
    symbol: str
    status: str
    unrealized: float | None
    drawdown_pct: float
    faults: int
    stalls: int
    outages: int
    no_candles_since: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A period, and the tests that were alive in it."""

    period: Period
    tests: tuple[BookSummary, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self.period), "tests": [asdict(test) for test in self.tests]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Total(Outcome):
    """Several books together; `unrealized` counts those that are known."""

    unrealized: float


def books_of(payload: Mapping[str, Any]) -> list[BookSummary]:
    """Return the books of a summary that `to_json` wrote.

    Raises:
        KeyError, TypeError: it was written by another version.
    """
    return [BookSummary(**test) for test in payload["tests"]]


def total_of(books: Sequence[BookSummary]) -> Total:
    """Return books together."""
    return Total(
        before=sum(book.before for book in books),
        equity=sum(book.equity for book in books),
        trades=sum(book.trades for book in books),
        won=sum(book.won for book in books),
        pnl=sum(book.pnl for book in books),
        positions=sum(book.positions for book in books),
        unrealized=sum(book.unrealized or 0.0 for book in books),
    )


class Summaries:
    """Sums forward tests up; `find_runner` returns what runs a test (by its id) in this process."""

    def __init__(
        self, database: Database, find_runner: Callable[[int], ForwardRunner | None]
    ) -> None:
        self._database = database
        self._find_runner = find_runner

    async def sum_up(self, period: Period) -> Summary | None:
        """Return how the tests went in a period, None where none ran."""
        tests = [
            test for test in await self._database.list_forward_tests() if _was_alive(test, period)
        ]
        found = [(test, await read_curve(self._database, test, period)) for test in tests]
        if not any(len(curve.time) > 1 or test.status in _ACTIVE for test, curve in found):
            return None
        told = [await self._sum_up(test, curve, period) for test, curve in found]
        return Summary(period, tuple(told))

    async def _sum_up(self, test: ForwardTest, curve: EquityCurve, period: Period) -> BookSummary:
        database, start, end = self._database, period.start, period.end
        tally = await database.tally_between(test.id, start, end)
        alerts = await database.count_messages(test.id, (FAULT, STALL), TEST_CHANNEL, start, end)
        view = await view_test(database, test, self._find_runner(test.id))
        return BookSummary(
            test_id=test.id,
            test=test.name,
            strategy=test.strategy,
            symbol=test.symbol,
            status=str(test.status),
            before=float(curve.equity[0]),
            equity=float(curve.equity[-1]),
            trades=tally.trades,
            won=tally.won,
            pnl=tally.pnl,
            positions=len(view.positions),
            unrealized=_unrealized(view),
            drawdown_pct=float(drawdown_pct(curve.equity).min()),
            faults=alerts.get(FAULT, 0),
            stalls=alerts.get(STALL, 0),
            outages=await database.count_events(test.id, _OUTAGE, start, end),
            no_candles_since=_early_end(test, curve, period),
        )


async def read_curve(database: Database, test: ForwardTest, period: Period) -> EquityCurve:
    """Return a test's equity in a period, with where it stood before as the first mark.

    That of a test that was stopped in it ends with what was left.
    """
    before = await database.get_last_mark(test.id, period.start)
    first = EquityMark(
        max(period.start, _began(test)),
        float(test.config["initial_balance"]) if before is None else before.equity,
    )
    marks = await database.get_equity_curve(test.id, since=period.start + 1, until=period.end + 1)
    time = np.concatenate(([first.time], marks.time))
    equity = np.concatenate(([first.equity], marks.equity))
    if test.stopped_at is not None and period.start < test.stopped_at <= period.end:
        book = await database.get_portfolio(test.id)
        if book is not None:
            # Positions closed by hand at the end come after the last candle and its mark.
            time = np.append(time, max(test.stopped_at, int(time[-1])))
            equity = np.append(equity, book.equity)
    return EquityCurve(time, equity)


def _was_alive(test: ForwardTest, period: Period) -> bool:
    if _began(test) >= period.end:
        return False
    return test.stopped_at is None or test.stopped_at > period.start


def _early_end(test: ForwardTest, curve: EquityCurve, period: Period) -> int | None:
    """Return when the candles of a test that goes on end (ms), None where that is at the end."""
    last = int(curve.time[-1])
    is_early = test.stopped_at is None and period.end - last > _LATE_MS
    return last if is_early else None


def _began(test: ForwardTest) -> int:
    return int(test.config["started_at"])


def _unrealized(view: ForwardView) -> float | None:
    profits = [position.profit_usd for position in view.positions]
    known = [profit for profit in profits if profit is not None]
    return sum(known) if len(known) == len(profits) else None
