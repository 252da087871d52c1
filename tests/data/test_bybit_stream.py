"""Bybit's frames, recorded and written by hand."""

import json

import pytest

from data.venues.base import Instrument, MarketKind
from data.venues.base_stream import Answer, StreamCandle, StreamInterest, StreamTrade
from data.venues.bybit_stream import BybitStream

VENUE = BybitStream()
BTC = Instrument("BTC/USDT:USDT", "BTCUSDT", MarketKind.PERPETUAL)
LINEAR = "bybit_linear_kline_ccxt_20260812.jsonl"
SPOT = "bybit_spot_kline_ccxt_20260812.jsonl"


def received(folder, name):
    lines = (folder / "frames" / name).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    frames = [record["frame"] for record in records if record["dir"] == "recv"]
    return [list(VENUE.parse(json.dumps(frame))) for frame in frames]


@pytest.mark.parametrize("name", [LINEAR, SPOT])
def test_recorded_candles_are_read_as_another_library_reads_them(market_data, name):
    manifest = json.loads((market_data / "frames" / "manifest.json").read_text(encoding="utf-8"))
    (entry,) = [entry for entry in manifest["files"] if entry["file"].endswith(name)]
    messages = [message for batch in received(market_data, name) for message in batch]
    candles = [message.candle for message in messages if isinstance(message, StreamCandle)]
    rows = [[c.timestamp, c.open, c.high, c.low, c.close, c.volume] for c in candles]

    assert len(rows) == 2
    assert rows == entry.get("ccxt_parsed", rows)
    assert not any(m.is_closed for m in messages if isinstance(m, StreamCandle))


def test_a_candle_can_come_before_the_answer_to_its_subscription(market_data):
    first, second, _ = received(market_data, LINEAR)

    assert isinstance(first[0], StreamCandle)
    assert first[0].event_ms == 1786540381441
    assert second == [Answer("1", None, None)]


def test_recorded_trades_know_their_taker(market_data):
    batches = received(market_data, "bybit_linear_publicTrade_ticker_ccxt_20260812.jsonl")

    assert batches[1] == [StreamTrade("BTCUSDT", 63976.1, 0.015, 1786540363843, "buy")]


def test_recorded_tickers_tell_open_interest_of_both_sides_only_when_it_changed(market_data):
    batches = received(market_data, "bybit_linear_publicTrade_ticker_ccxt_20260812.jsonl")

    assert batches[3:] == [
        [StreamInterest("BTCUSDT", 57798.137, 1786540397684)],
        [StreamInterest("BTCUSDT", None, 1786540397983)],
    ]


def test_only_a_perpetual_has_a_channel_of_open_interest():
    spot = Instrument("BTC/USDT", "BTCUSDT", MarketKind.SPOT)

    assert VENUE.interest_channel(BTC) == "tickers.BTCUSDT"
    assert VENUE.interest_channel(spot) is None


def test_one_frame_can_hold_two_candles():
    names = ("start", "open", "high", "low", "close", "volume", "confirm")
    rows = [(60_000, "1", "3", "1", "2", "5", True), (120_000, "2", "2", "2", "2", "0.5", False)]
    data = [dict(zip(names, row, strict=True)) for row in rows]
    frame = {"topic": "kline.1.XRPUSDT", "ts": 120_154, "type": "snapshot", "data": data}
    closed, forming = VENUE.parse(json.dumps(frame))

    assert (closed.id, closed.candle.timestamp, closed.is_closed) == ("XRPUSDT", 60_000, True)
    assert (closed.candle.high, closed.candle.volume) == (3.0, 5.0)
    assert (forming.candle.timestamp, forming.is_closed) == (120_000, False)


@pytest.mark.parametrize(
    "pong",
    [
        {"success": True, "ret_msg": "pong", "conn_id": "1", "op": "ping"},
        {"req_id": "", "op": "pong", "args": ["1"]},
    ],
)
def test_pongs_tell_nothing(pong):
    assert list(VENUE.parse(json.dumps(pong))) == []


def test_refusals_say_why():
    frame = {
        "success": False,
        "ret_msg": "error:handler not found,topic:kline.1.NOPE",
        "req_id": "3",
        "op": "subscribe",
    }
    assert list(VENUE.parse(json.dumps(frame))) == [
        Answer("3", None, "error:handler not found,topic:kline.1.NOPE")
    ]


def test_requests_hold_ten_channels_at_most():
    channels = [VENUE.candle_channel(BTC), *(f"publicTrade.C{n}USDT" for n in range(24))]
    requests = VENUE.subscribe(MarketKind.SPOT, channels, first_id=1)
    messages = [json.loads(request.text) for request in requests]

    assert [len(message["args"]) for message in messages] == [10, 10, 5]
    assert messages[0]["args"][0] == "kline.1.BTCUSDT"
    assert [message["req_id"] for message in messages] == ["1", "2", "3"]
    assert messages[0]["op"] == "subscribe"
    (leave,) = VENUE.unsubscribe(MarketKind.SPOT, [VENUE.trade_channel(BTC)], first_id=8)
    assert json.loads(leave.text) == {
        "op": "unsubscribe",
        "req_id": "8",
        "args": ["publicTrade.BTCUSDT"],
    }


def test_a_frame_of_a_topic_that_nobody_asked_for_is_left_out():
    frame = {"topic": "liquidation.BTCUSDT", "ts": 1, "data": [{"s": "BTCUSDT"}]}

    assert list(VENUE.parse(json.dumps(frame))) == []
