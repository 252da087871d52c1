"""Hyperliquid's frames, recorded and written by hand."""

import json

import pytest

from data.venues.base import Instrument, MarketKind
from data.venues.base_stream import Answer, StreamCandle, StreamInterest, StreamTrade
from data.venues.hyperliquid_stream import HyperliquidStream
from engine.candles import Candle

VENUE = HyperliquidStream()
BTC = Instrument("BTC/USDC:USDC", "BTC", MarketKind.PERPETUAL)
CANDLE = {
    "t": 60_000,
    "T": 119_999,
    "s": "BTC",
    "i": "1m",
    "o": "1",
    "c": "2",
    "h": "3",
    "l": "0.5",
    "v": "6.25",
    "n": 4,
}


def parse(frame):
    return list(VENUE.parse(json.dumps(frame)))


def test_recorded_frames_are_read(market_data):
    path = market_data / "frames" / "hyperliquid_candle_trades_ctx_ccxt_20260812.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    messages = [m for r in records if r["dir"] == "recv" for m in parse(r["frame"])]
    answers = [message for message in messages if isinstance(message, Answer)]
    candles = [message for message in messages if isinstance(message, StreamCandle)]
    trades = [message for message in messages if isinstance(message, StreamTrade)]

    assert [answer.channel for answer in answers] == [
        "candle:BTC",
        "trades:BTC",
        "activeAssetCtx:BTC",
    ]
    assert [message.candle for message in candles] == [
        Candle(1786539540000, 64082.0, 64100.0, 64082.0, 64099.0, 6.39125),
        Candle(1786539540000, 64082.0, 64100.0, 64082.0, 64100.0, 6.392),
    ]
    assert not any(candle.is_closed for candle in candles)
    assert trades[0] == StreamTrade("BTC", 64097.0, 0.00033, 1786539552700, "buy")
    assert trades[1] == StreamTrade("BTC", 64096.0, 0.00023, 1786539553004, "sell")
    interests = [message for message in messages if isinstance(message, StreamInterest)]
    assert interests == [StreamInterest("BTC", 38485.06546, None)]


def test_only_a_perpetual_has_a_channel_of_open_interest():
    assert VENUE.interest_channel(BTC) == "activeAssetCtx:BTC"
    assert VENUE.interest_channel(Instrument("PURR/USDC", "PURR/USDC", MarketKind.SPOT)) is None
    (request,) = VENUE.subscribe(MarketKind.PERPETUAL, ["activeAssetCtx:BTC"], first_id=1)
    assert json.loads(request.text) == {
        "method": "subscribe",
        "subscription": {"type": "activeAssetCtx", "coin": "BTC"},
    }


def test_candles_come_as_an_object_or_as_a_list():
    one = parse({"channel": "candle", "data": CANDLE})

    assert one == parse({"channel": "candle", "data": [CANDLE]})
    assert one[0].candle == Candle(60_000, 1.0, 3.0, 0.5, 2.0, 6.25)
    assert parse({"channel": "candle", "data": {**CANDLE, "i": "1h"}}) == []


@pytest.mark.parametrize(
    "text", ["Websocket connection established.", '{"channel":"pong"}', '{"channel":"l2Book"}']
)
def test_what_tells_nothing_is_passed_over(text):
    assert list(VENUE.parse(text)) == []


def test_errors_name_the_channel_they_quote():
    quoted = '{"type":"candle","coin":"NOPE","interval":"1m"}'
    refused = parse({"channel": "error", "data": f"Invalid subscription {quoted}"})

    assert refused == [Answer(None, "candle:NOPE", f"Invalid subscription {quoted}")]
    assert parse({"channel": "error", "data": f"Already subscribed: {quoted}"}) == [
        Answer(None, "candle:NOPE", None)
    ]
    assert parse({"channel": "error", "data": "Error parsing {"}) == [
        Answer(None, None, "Error parsing {")
    ]


def test_each_channel_has_its_own_message():
    channels = [VENUE.candle_channel(BTC), VENUE.trade_channel(BTC)]
    requests = VENUE.subscribe(MarketKind.PERPETUAL, channels, first_id=1)

    assert [json.loads(request.text) for request in requests] == [
        {
            "method": "subscribe",
            "subscription": {"type": "candle", "coin": "BTC", "interval": "1m"},
        },
        {"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}},
    ]
    assert [request.channels for request in requests] == [("candle:BTC",), ("trades:BTC",)]
    (leave,) = VENUE.unsubscribe(MarketKind.PERPETUAL, channels[:1], first_id=1)
    assert json.loads(leave.text)["method"] == "unsubscribe"
