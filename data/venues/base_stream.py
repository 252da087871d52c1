"""What every exchange's stream module offers: messages to send, and how to read frames. No sockets.

A channel is one subscription at the exchange, named in the exchange's own words. A parse function
may raise ValueError, TypeError, KeyError or IndexError where a frame isn't what is documented.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from data.venues.base import Instrument, MarketKind
from engine.candles import Candle

TakerSide: TypeAlias = Literal["buy", "sell"]
BUY: Final[TakerSide] = "buy"
SELL: Final[TakerSide] = "sell"


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What differs between exchanges and is no function.

    `urls` maps the kinds of market to addresses. `marks_closes` tells whether a frame says that
    its candle is closed, `has_taker_volume` whether candle frames carry it. A connection takes
    `channels_per_connection`, gets one message every `message_interval_s` at most, and lives for
    `lifetime_s` (None: no known end). `ping` is the exchange's own message, None where the
    protocol's ping frames serve.
    """

    name: str
    urls: Mapping[MarketKind, str]
    marks_closes: bool
    has_taker_volume: bool
    channels_per_connection: int
    message_interval_s: float
    lifetime_s: float | None = None
    ping: str | None = None
    ping_interval_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """A message to send, the id by which it is answered, and the channels it concerns."""

    id: str
    channels: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class StreamCandle:
    """A candle as a frame shows it; `event_ms` is the exchange's time of the frame, if it has one.

    `is_closed` is what the frame says, False where an exchange never says it.
    """

    id: str
    candle: Candle
    is_closed: bool
    event_ms: int | None


class StreamTrade(NamedTuple):
    """A trade as a frame shows it; a plain tuple, for there may be thousands in a second."""

    id: str
    price: float
    quantity: float
    time_ms: int
    taker_side: TakerSide


class StreamInterest(NamedTuple):
    """The open interest of a symbol, in the base asset, as a frame shows it.

    None for the value: it is what it was before. None for the time: the frame has none.
    """

    id: str
    open_interest: float | None
    time_ms: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request, known by its id or by its channel; `error` is None if it worked."""

    id: str | None
    channel: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ServerLeaving:
    """The exchange says that it will cut this connection soon."""


MarketMessage: TypeAlias = StreamCandle | StreamTrade | StreamInterest
StreamMessage: TypeAlias = MarketMessage | Answer | ServerLeaving
NOTHING: Final[tuple[StreamMessage, ...]] = ()


class StreamVenue(Protocol):
    """One exchange's streams of 1m candles, trades and open interest."""

    @property
    def facts(self) -> StreamFacts:
        """What is no function."""

    def candle_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's 1m candles."""

    def trade_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's trades."""

    def interest_channel(self, instrument: Instrument) -> str | None:
        """Return the channel that tells open interest; None where no stream does."""

    def subscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that subscribe channels, in the sizes the exchange takes."""

    def unsubscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that unsubscribe channels."""

    def parse(self, text: str) -> Sequence[StreamMessage]:
        """Read a frame; nothing of interest gives an empty sequence."""


def in_batches(channels: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Return channels in groups of at most `size`."""
    return [tuple(channels[first : first + size]) for first in range(0, len(channels), size)]


def find_flaw(candle: Candle) -> str | None:
    """Return what makes a candle unusable, or None."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(map(math.isfinite, (*prices, candle.volume))):
        return "a price or the volume is not a number"
    if min(prices) <= 0 or candle.volume < 0:
        return "a price is not positive, or the volume negative"
    if candle.high < max(prices) or candle.low > min(prices):
        return "open or close lies outside of low..high"
    return None
