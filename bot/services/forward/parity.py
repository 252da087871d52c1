"""Parity: a forward test's trades beside a backtest's over the same period. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from bot.services.forward.revisions import revised_closes
from data.storage.records import ForwardEvent, StoredTrade
from engine.orders import ExitReason, Side, Trade
from engine.timeframe import MINUTE_MS

# Prices that differ by less are the same price: a billionth, in basis points.
_SAME_PRICE_BPS: Final = 1e-5
_PAUSE_KINDS: Final = ("paused", "resumed")
_OUTAGE_KINDS: Final = ("stream_down", "stream_up", "recovered")
_CLOSED_BY_PRICE: Final = (ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT, ExitReason.LIQUIDATION)


class Cause(StrEnum):
    """Why a trade differs from the backtest's; `none` when it doesn't."""

    NONE = "none"
    RECOVERED = "filled while the test was away"
    MANUAL_CLOSE = "closed by hand"
    TICK_OVERSHOOT = "the tick beyond the stop"
    TICK_ORDER = "ticks showed which level came first"
    LATE_CLOSE = "the tape moved before the closing candle arrived"
    PAUSED = "entries were paused"
    REVISED = "revised candle"
    OUTAGE = "an outage, or a late or revised candle"
    FOLLOWS = "follows from an earlier difference"
    OPEN = "still open in the forward test"


# How far back a strategy's averages usually look.
_REMEMBERED_CANDLES: Final = 100
_MAY_BE_REVISED: Final = (Cause.TICK_OVERSHOOT, Cause.LATE_CLOSE, Cause.OUTAGE)


@dataclass(frozen=True, slots=True)
class TradePair:
    """A trade on both sides, or on one; price differences in basis points, live over backtest."""

    live: Trade | None
    backtest: Trade | None
    cause: Cause
    entry_bps: float | None = None
    exit_bps: float | None = None

    @property
    def matches(self) -> bool:
        """Whether both sides have it, in the same minutes and for the same reason."""
        return (
            self.live is not None
            and self.backtest is not None
            and _same_exit(self.live, self.backtest)
            and self.live.exit_reason == self.backtest.exit_reason
        )


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All trades of both sides in order of entry; times in ms UTC.

    `revised` are the closes of candles that the exchange corrected after the test acted on them.
    """

    start: int
    end: int
    pairs: tuple[TradePair, ...]
    revised: tuple[int, ...] = ()

    @property
    def matched(self) -> int:
        """How many trades are the same on both sides."""
        return sum(pair.matches for pair in self.pairs)

    @property
    def largest_bps(self) -> float:
        """The largest price difference among matched trades, in basis points."""
        found = [
            abs(value)
            for pair in self.pairs
            if pair.matches
            for value in (pair.entry_bps, pair.exit_bps)
            if value is not None
        ]
        return max(found, default=0.0)


def compare(
    live: Sequence[StoredTrade],
    backtest: Sequence[Trade],
    *,
    open_entries: Sequence[int],
    events: Sequence[ForwardEvent],
    start: int,
    end: int,
    decided_every_ms: int = MINUTE_MS,
) -> ParityReport:
    """Pair the trades of a forward test with a backtest's and name the cause of each difference.

    `open_entries` are entry times (ms) of positions that the forward test still holds.
    `decided_every_ms` is the length of the candles at whose close the strategy decides.
    """
    story = _Story.of(events, decided_every_ms)
    waiting = {(trade.entry_time, trade.side, trade.id): trade for trade in backtest}
    pairs: list[TradePair] = []
    for stored in live:
        trade = stored.trade
        other = _take_partner(waiting, trade)
        pairs.append(_pair(stored, other, story) if other else _alone(trade, None, pairs, story))
    for trade in waiting.values():
        if trade.entry_time in open_entries:
            pairs.append(TradePair(None, trade, Cause.OPEN))
        else:
            pairs.append(_alone(None, trade, pairs, story))
    pairs.sort(key=_entry_time)
    return ParityReport(start, end, tuple(pairs), story.revised)


@dataclass(frozen=True, slots=True)
class _Story:
    """What befell a test, as far as it explains differences; times in ms."""

    events: Sequence[ForwardEvent]
    revised: tuple[int, ...]
    outages: tuple[int, ...]
    decided_every_ms: int

    @classmethod
    def of(cls, events: Sequence[ForwardEvent], decided_every_ms: int) -> Self:
        outages = tuple(event.time for event in events if event.kind in _OUTAGE_KINDS)
        return cls(events, revised_closes(events), outages, decided_every_ms)

    def was_revised_at(self, *fills: int) -> bool:
        """Tell whether one of these fills was decided by a candle that was revised."""
        closes = [_minute(time) * MINUTE_MS for time in fills]
        first = [close - self.decided_every_ms for close in closes]
        return any(
            begin < revised <= close
            for begin, close in zip(first, closes, strict=True)
            for revised in self.revised
        )

    def was_revised_before(self, time: int) -> bool:
        """Tell whether a revision still shows in averages at a time, and no outage came since."""
        until = _minute(time) * MINUTE_MS
        since = max((each for each in self.outages if each <= until), default=0)
        since = max(since, until - _REMEMBERED_CANDLES * self.decided_every_ms)
        return any(since < revised <= until for revised in self.revised)

    def was_paused(self, time: int) -> bool:
        """Tell whether entries were paused at a time."""
        before = [e for e in self.events if e.kind in _PAUSE_KINDS and e.time <= time]
        return bool(before) and max(before, key=lambda event: event.time).kind == "paused"


def _take_partner(waiting: dict[tuple[int, Side, int], Trade], trade: Trade) -> Trade | None:
    minute = _minute(trade.entry_time)
    for key, other in waiting.items():
        if other.side is trade.side and _minute(other.entry_time) == minute:
            return waiting.pop(key)
    return None


def _pair(stored: StoredTrade, other: Trade, story: _Story) -> TradePair:
    trade = stored.trade
    entry_bps = _bps(trade.entry_price, other.entry_price)
    exit_bps = _bps(trade.exit_price, other.exit_price)
    cause = _cause(stored, other, entry_bps, exit_bps)
    if cause in _MAY_BE_REVISED and _comes_of_revision(trade, other, entry_bps, story):
        cause = Cause.REVISED
    return TradePair(trade, other, cause, entry_bps, exit_bps)


def _comes_of_revision(trade: Trade, other: Trade, entry_bps: float, story: _Story) -> bool:
    """Tell whether what differs was decided by a candle that was revised."""
    by_price = trade.exit_reason in _CLOSED_BY_PRICE
    if not (_same_exit(trade, other) and trade.exit_reason == other.exit_reason):
        first = min(trade.exit_time, other.exit_time)
        return story.was_revised_at(trade.entry_time, first) or story.was_revised_before(first)
    # Levels of stops and targets come from the candle of the entry.
    if abs(entry_bps) > _SAME_PRICE_BPS or by_price:
        return story.was_revised_at(trade.entry_time)
    return story.was_revised_at(trade.exit_time)


def _cause(stored: StoredTrade, other: Trade, entry_bps: float, exit_bps: float) -> Cause:
    trade = stored.trade
    same_exit = _same_exit(trade, other)
    same_reason = trade.exit_reason == other.exit_reason
    if abs(entry_bps) <= _SAME_PRICE_BPS >= abs(exit_bps) and same_exit and same_reason:
        return Cause.NONE
    if trade.exit_reason is ExitReason.MANUAL:
        return Cause.MANUAL_CLOSE
    if stored.recovered:
        return Cause.RECOVERED
    if same_exit and same_reason and trade.exit_reason is ExitReason.STOP_LOSS:
        return Cause.TICK_OVERSHOOT if abs(exit_bps) > _SAME_PRICE_BPS else Cause.LATE_CLOSE
    if same_exit and not same_reason and other.ambiguous:
        return Cause.TICK_ORDER
    return Cause.LATE_CLOSE if same_exit and same_reason else Cause.OUTAGE


def _alone(
    live: Trade | None,
    backtest: Trade | None,
    pairs: Sequence[TradePair],
    story: _Story,
) -> TradePair:
    trade = live or backtest
    assert trade is not None
    if backtest and story.was_paused(trade.entry_time):
        return TradePair(live, backtest, Cause.PAUSED)
    if story.was_revised_at(trade.entry_time):
        return TradePair(live, backtest, Cause.REVISED)
    if any(p.cause is not Cause.NONE and _entry_time(p) <= trade.entry_time for p in pairs):
        return TradePair(live, backtest, Cause.FOLLOWS)
    is_revised = story.was_revised_before(trade.entry_time)
    return TradePair(live, backtest, Cause.REVISED if is_revised else Cause.OUTAGE)


def _entry_time(pair: TradePair) -> int:
    trade = pair.live or pair.backtest
    return trade.entry_time if trade else 0


def _same_exit(live: Trade, backtest: Trade) -> bool:
    """Tell whether both were closed in the same minute.

    A minute's first trade stands at its very beginning, which is also the close of the one before.
    """
    minute, other = _minute(live.exit_time), _minute(backtest.exit_time)
    at_open = live.exit_time % MINUTE_MS == 0 and live.exit_reason in _CLOSED_BY_PRICE
    return minute == other or (at_open and minute + 1 == other)


def _minute(time: int) -> int:
    """Return the close of the minute that a moment belongs to: ticks fall inside of it."""
    return -(-time // MINUTE_MS)


def _bps(price: float, reference: float) -> float:
    return 1e4 * (price / reference - 1)
