"""What live market data tells its listeners, as frozen messages. No logic lives here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from data.venues.base_stream import TakerSide
from engine.candles import Candle


class Tick(NamedTuple):
    """One trade: price, quantity in the base asset, the exchange's time (ms), who took it.

    A tuple, not a dataclass: thousands may come in a second, and it is made twice as fast.
    """

    symbol: str
    price: float
    quantity: float
    time_ms: int
    taker_side: TakerSide


@dataclass(frozen=True, slots=True)
class CandleArrived:
    """A closed 1m candle; `backfilled` if it came over REST, `received_ms` in exchange time."""

    symbol: str
    candle: Candle
    backfilled: bool
    received_ms: int


@dataclass(frozen=True, slots=True)
class StreamDown:
    """The stream of a symbol broke; `since_ms` is the exchange's time."""

    symbol: str
    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class StreamUp:
    """The stream of a symbol is back.

    The candles that open from `gap_from` to `gap_to` (ms, end excluded) are being fetched and
    come next; both are equal where none is missing.
    """

    symbol: str
    gap_from: int
    gap_to: int


@dataclass(frozen=True, slots=True)
class FeedFailed:
    """The data of a symbol has ended for this listener; says why and what to do."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A candle that came again with other values, after it was delivered."""

    delivered: Candle
    revised: Candle

    @property
    def close_change(self) -> float:
        """Return the revised close minus the delivered one."""
        return self.revised.close - self.delivered.close

    @property
    def volume_change(self) -> float:
        """Return the revised volume minus the delivered one."""
        return self.revised.volume - self.delivered.volume


@dataclass(frozen=True, slots=True)
class CandleRevised:
    """The exchange corrected a candle that this listener was told before; nothing is told again."""

    symbol: str
    revision: Revision


class MarketListener(Protocol):
    """Is told of one symbol's market, in order; a method that raises ends the subscription."""

    def on_candle(self, event: CandleArrived) -> None:
        """Take the next closed 1m candle."""

    def on_tick(self, tick: Tick) -> None:
        """Take a trade; called only if ticks were asked for."""

    def on_outage(self, event: StreamDown | StreamUp) -> None:
        """Note that the stream broke, or is back."""

    def on_revision(self, event: CandleRevised) -> None:
        """Note that a candle told before was not final."""

    def on_failure(self, event: FeedFailed) -> None:
        """Note that nothing more will come."""


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """How one symbol's stream is doing; counts are since it was subscribed.

    `last_frame_age_s` is None before the first frame. `held` closed candles wait for a gap to be
    filled; `missing` are minutes that the exchange doesn't have. `open_interest_ms` is the time of
    the newest open interest, None where there is none.
    """

    symbol: str
    is_connected: bool
    listeners: int
    last_candle_open: int | None
    last_frame_age_s: float | None
    reconnects: int
    duplicates: int
    revisions: int
    last_revision: Revision | None
    backfilled: int
    missing: int
    held: int
    stale_ticks: int
    unreadable_frames: int
    open_interest_ms: int | None = None


class AlertKind(StrEnum):
    """What a connection's alert is about."""

    UNREACHABLE = "unreachable"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class ConnectionAlert:
    """The exchange can't be reached after several attempts, or can be again.

    `down_s` is how long there was no connection; `symbols` are those it carries.
    """

    kind: AlertKind
    exchange: str
    attempts: int
    down_s: float
    reason: str
    symbols: tuple[str, ...]
