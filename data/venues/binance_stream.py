"""Binance streams: messages and parsing of spot and USD-M perpetuals. No sockets, no state.

Sources: binance-spot-api-docs/web-socket-streams.md; USD-M "Websocket Market Streams" and
"Important WebSocket Change Notice": since 2026-04-23 the paths without /market acknowledge
candles and trades of USD-M and never send any. The simulated exchange speaks USD-M's protocol.
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
    ServerLeaving,
    StreamCandle,
    StreamFacts,
    StreamMessage,
    StreamTrade,
    in_batches,
)
from engine.candles import Candle

_BATCH: Final = 100
_SPOT_URL: Final = "wss://stream.binance.com:9443/ws"
_PERPETUAL_PATH: Final = "/market/ws"
_PERPETUAL_URL: Final = "wss://fstream.binance.com" + _PERPETUAL_PATH
_FACTS: Final = StreamFacts(
    name="binance",
    urls=MappingProxyType({MarketKind.SPOT: _SPOT_URL, MarketKind.PERPETUAL: _PERPETUAL_URL}),
    marks_closes=True,
    has_taker_volume=True,
    channels_per_connection=200,  # 1024 by the documentation; others have met 200
    message_interval_s=0.25,  # spot takes 5 messages a second, pings and pongs among them
    lifetime_s=24 * 3600.0,
)
_SIMULATED_FACTS: Final = StreamFacts(
    name="simulated",
    urls=MappingProxyType({MarketKind.PERPETUAL: "ws://127.0.0.1" + _PERPETUAL_PATH}),
    marks_closes=True,
    has_taker_volume=True,
    channels_per_connection=200,
    message_interval_s=0.0,
)


@dataclass(frozen=True, slots=True)
class BinanceStream:
    """Binance's public streams."""

    facts: StreamFacts = field(default=_FACTS)

    def candle_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's 1m candles."""
        return f"{instrument.id.lower()}@kline_1m"

    def trade_channel(self, instrument: Instrument) -> str:
        """Return the channel of an instrument's aggregated trades."""
        return f"{instrument.id.lower()}@aggTrade"

    def interest_channel(self, instrument: Instrument) -> str | None:
        """Return None: open interest comes over REST only."""
        return None

    def subscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that subscribe channels."""
        return _requests("SUBSCRIBE", channels, first_id)

    def unsubscribe(
        self, kind: MarketKind, channels: Sequence[str], *, first_id: int
    ) -> tuple[ChannelRequest, ...]:
        """Return the messages that unsubscribe channels."""
        return _requests("UNSUBSCRIBE", channels, first_id)

    def parse(self, text: str) -> Sequence[StreamMessage]:
        """Read a frame, bare or wrapped as combined streams are."""
        frame = json.loads(text)
        if "stream" in frame:
            frame = frame["data"]
        event = frame.get("e")
        if event == "aggTrade":
            # "m": the buyer was the maker, so the taker sold
            return (
                StreamTrade(
                    frame["s"],
                    float(frame["p"]),
                    float(frame["q"]),
                    frame["T"],
                    SELL if frame["m"] else BUY,
                ),
            )
        if event == "kline":
            return _read_candle(frame)
        if event is None:
            return _read_answer(frame)
        return (ServerLeaving(),) if event == "serverShutdown" else NOTHING


def simulated_stream() -> BinanceStream:
    """Return the simulated exchange's streams; its address always comes from the settings."""
    return BinanceStream(_SIMULATED_FACTS)


def _requests(method: str, channels: Sequence[str], first_id: int) -> tuple[ChannelRequest, ...]:
    return tuple(
        ChannelRequest(
            str(number), batch, json.dumps({"method": method, "params": batch, "id": number})
        )
        for number, batch in enumerate(in_batches(channels, _BATCH), first_id)
    )


def _read_candle(frame: Mapping[str, Any]) -> Sequence[StreamMessage]:
    k = frame["k"]
    if k["i"] != "1m":
        return NOTHING
    volume = float(k["v"])
    candle = Candle(
        timestamp=k["t"],
        open=float(k["o"]),
        high=float(k["h"]),
        low=float(k["l"]),
        close=float(k["c"]),
        volume=volume,
        volume_delta=2.0 * float(k["V"]) - volume,  # bought minus sold by takers
    )
    return (StreamCandle(k["s"], candle, k["x"], frame["E"]),)


def _read_answer(frame: Mapping[str, Any]) -> Sequence[StreamMessage]:
    number = frame.get("id")
    known = None if number is None else str(number)
    if "error" in frame:
        return (Answer(known, None, str(frame["error"].get("msg", frame["error"]))),)
    return (Answer(known, None, None),) if "result" in frame else NOTHING
