"""Hyperliquid streams: messages and parsing. No sockets, no state.

Sources: Hyperliquid documentation "WebSocket", "Subscriptions", "Timeouts and heartbeats". No
frame says that its candle is closed, and a minute without a trade has no frame.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from data.venues.base import Instrument, MarketKind
from data.venues.base_stream import (
    BUY,
    NOTHING,
    SELL,
    Answer,
    ChannelRequest,
    StreamCandle,
    StreamFacts,
    StreamInterest,
    StreamMessage,
    StreamTrade,
)
from engine.candles import Candle

_URL: Final = "wss://api.hyperliquid.xyz/ws"
_CANDLE: Final = "candle"
_TRADES: Final = "trades"
_CONTEXT: Final = "activeAssetCtx"
_ALREADY: Final = "Already "
_FACTS: Final = StreamFacts(
    name="hyperliquid",
    urls=MappingProxyType({MarketKind.SPOT: _URL, MarketKind.PERPETUAL: _URL}),
    marks_closes=False,
    has_taker_volume=False,
    channels_per_connection=200,  # 1000 in all, over 10 connections
    message_interval_s=0.04,  # 2000 messages a minute
    ping='{"method":"ping"}',
)


@dataclass(frozen=True, slots=True)
class HyperliquidStream:
    """Hyperliquid's public streams."""

    facts: StreamFacts = field(default=_FACTS)

    def candle_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's 1m candles."""
        return f"{_CANDLE}:{instrument.id}"

    def trade_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's trades."""
        return f"{_TRADES}:{instrument.id}"

    def interest_channel(self, instrument: Instrument) -> str | None:
        """Return the channel of a perpetual's context, None for spot."""
        return None if instrument.kind is MarketKind.SPOT else f"{_CONTEXT}:{instrument.id}"

    def subscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that subscribe channels, one for each."""
        return _requests("subscribe", channels)

    def unsubscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that unsubscribe channels, one for each."""
        return _requests("unsubscribe", channels)

    def parse(self, text: str) -> Sequence[StreamMessage]:
        """Read a frame; the greeting is plain text and tells nothing."""
        if not text.startswith("{"):
            return NOTHING
        frame = json.loads(text)
        channel, data = frame.get("channel"), frame.get("data")
        if channel == _TRADES:
            return [
                StreamTrade(
                    trade["coin"],
                    float(trade["px"]),
                    float(trade["sz"]),
                    trade["time"],
                    BUY if trade["side"] == "B" else SELL,
                )
                for trade in data
            ]
        if channel == _CANDLE:
            # one object by what is seen, a list by the documentation
            candles = data if isinstance(data, list) else [data]
            return [_read_candle(candle) for candle in candles if candle["i"] == "1m"]
        if channel == _CONTEXT:
            return (StreamInterest(data["coin"], float(data["ctx"]["openInterest"]), None),)
        if channel == "subscriptionResponse":
            return (Answer(None, _name(data["subscription"]), None),)
        return (_read_error(str(data)),) if channel == "error" else NOTHING


def _requests(method: str, channels: Sequence[str]) -> tuple[ChannelRequest, ...]:
    return tuple(
        ChannelRequest(
            channel,
            (channel,),
            json.dumps({"method": method, "subscription": _subscription(channel)}),
        )
        for channel in channels
    )


def _subscription(channel: str) -> dict[str, str]:
    kind, _, coin = channel.partition(":")
    subscription = {"type": kind, "coin": coin}
    return subscription | {"interval": "1m"} if kind == _CANDLE else subscription


def _name(subscription: Mapping[str, Any]) -> str:
    return f"{subscription['type']}:{subscription['coin']}"


def _read_candle(data: Mapping[str, Any]) -> StreamCandle:
    candle = Candle(
        timestamp=data["t"],
        open=float(data["o"]),
        high=float(data["h"]),
        low=float(data["l"]),
        close=float(data["c"]),
        volume=float(data["v"]),
    )
    return StreamCandle(data["s"], candle, False, None)


def _read_error(text: str) -> Answer:
    """Read an error, which quotes the subscription it is about, as in `Invalid ... {...}`."""
    quoted = text[text.find("{") :] if "{" in text else "{}"
    try:
        channel = _name(json.loads(quoted))
    except (ValueError, KeyError, TypeError):
        channel = None
    return Answer(None, channel, None if text.startswith(_ALREADY) else text)
