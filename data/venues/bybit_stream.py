"""Bybit v5 streams: messages and parsing of spot and linear perpetuals. No sockets, no state.

Sources: bybit-exchange/docs websocket/public/kline, websocket/public/trade,
websocket/public/ticker, connect. A data frame may come before its subscription is acknowledged,
and may hold more than one candle. A ticker's later frames hold only what has changed.
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
    in_batches,
)
from engine.candles import Candle

_BATCH: Final = 10  # spot takes no more arguments in one request
_CANDLES: Final = "kline.1."
_TRADES: Final = "publicTrade."
_TICKERS: Final = "tickers."
_FACTS: Final = StreamFacts(
    name="bybit",
    urls=MappingProxyType(
        {
            MarketKind.SPOT: "wss://stream.bybit.com/v5/public/spot",
            MarketKind.PERPETUAL: "wss://stream.bybit.com/v5/public/linear",
        }
    ),
    marks_closes=True,
    has_taker_volume=False,
    # A connection takes 21,000 characters of arguments, about 40 each at the longest.
    channels_per_connection=400,
    message_interval_s=0.1,
    ping='{"op":"ping"}',
)


@dataclass(frozen=True, slots=True)
class BybitStream:
    """Bybit's public streams."""

    facts: StreamFacts = field(default=_FACTS)

    def candle_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's 1m candles."""
        return _CANDLES + instrument.id

    def trade_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's trades."""
        return _TRADES + instrument.id

    def interest_channel(self, instrument: Instrument) -> str | None:
        """Return the channel of a perpetual's ticker, None for spot."""
        return None if instrument.kind is MarketKind.SPOT else _TICKERS + instrument.id

    def subscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that subscribe channels, ten in each."""
        return _requests("subscribe", channels, first_id)

    def unsubscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that unsubscribe channels, ten in each."""
        return _requests("unsubscribe", channels, first_id)

    def parse(self, text: str) -> Sequence[StreamMessage]:
        """Read a frame; each of the candles or trades in it is a message."""
        frame = json.loads(text)
        topic = frame.get("topic")
        if topic is None:
            return _read_answer(frame)
        if topic.startswith(_TRADES):
            return [
                StreamTrade(
                    trade["s"],
                    float(trade["p"]),
                    float(trade["v"]),
                    trade["T"],
                    BUY if trade["S"] == "Buy" else SELL,
                )
                for trade in frame["data"]
            ]
        if topic.startswith(_CANDLES):
            symbol = topic.removeprefix(_CANDLES)
            return [_read_candle(symbol, candle, frame["ts"]) for candle in frame["data"]]
        if topic.startswith(_TICKERS):
            return (_read_interest(frame),)
        return NOTHING


def _requests(operation: str, channels: Sequence[str], first_id: int) -> tuple[ChannelRequest, ...]:
    return tuple(
        ChannelRequest(
            str(number),
            batch,
            json.dumps({"op": operation, "req_id": str(number), "args": batch}),
        )
        for number, batch in enumerate(in_batches(channels, _BATCH), first_id)
    )


def _read_candle(symbol: str, data: Mapping[str, Any], event_ms: int) -> StreamCandle:
    candle = Candle(
        timestamp=data["start"],
        open=float(data["open"]),
        high=float(data["high"]),
        low=float(data["low"]),
        close=float(data["close"]),
        volume=float(data["volume"]),
    )
    return StreamCandle(symbol, candle, data["confirm"], event_ms)


def _read_interest(frame: Mapping[str, Any]) -> StreamInterest:
    # Of both sides, as in the history; `singleOpenInterest` is of one.
    value = frame["data"].get("openInterest")
    return StreamInterest(
        frame["data"]["symbol"], None if value is None else float(value), frame["ts"]
    )


def _read_answer(frame: Mapping[str, Any]) -> Sequence[StreamMessage]:
    if frame.get("op") not in ("subscribe", "unsubscribe"):
        return NOTHING  # a pong: op is "ping" or "pong"
    number = frame.get("req_id")
    error = None if frame.get("success") else str(frame.get("ret_msg") or "refused")
    return (Answer(str(number) if number else None, None, error),)
