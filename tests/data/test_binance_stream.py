"""Binance's frames, recorded and written by hand."""

import json

import pytest

from data.venues.base import Instrument, MarketKind
from data.venues.base_stream import Answer, ServerLeaving, StreamCandle, StreamTrade
from data.venues.binance_stream import BinanceStream
from engine.candles import Candle

VENUE = BinanceStream()
BTC = Instrument("BTC/USDT:USDT", "BTCUSDT", MarketKind.PERPETUAL)
RECORDED = (
    "binance_spot_kline_ccxt_20260812.jsonl",
    "binance_usdm_kline_ccxt_20260812.jsonl",
)


def read(folder, name):
    lines = (folder / "frames" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def parse(frame):
    return list(VENUE.parse(json.dumps(frame)))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_candles_are_read_as_another_library_reads_them(market_data, name):
    manifest = json.loads((market_data / "frames" / "manifest.json").read_text(encoding="utf-8"))
    (expected,) = [
        entry["ccxt_parsed"] for entry in manifest["files"] if entry["file"].endswith(name)
    ]
    messages = [
        message
        for record in read(market_data, name)
        if record["dir"] == "recv"
        for message in parse(record["frame"])
    ]
    candles = [message.candle for message in messages if isinstance(message, StreamCandle)]

    assert messages[0] == Answer("1", None, None)
    assert [[c.timestamp, c.open, c.high, c.low, c.close, c.volume] for c in candles] == expected


def test_a_recorded_close_has_its_taker_volume_and_the_time_it_came(market_data):
    records = read(market_data, "binance_usdm_market_recorded_20260808.jsonl")
    trade, mark, close, liquidation = [parse(record["frame"]) for record in records]

    assert trade == [StreamTrade("BTCUSDT", 64990.9, 0.002, 1786171884471, "sell")]
    assert close == [
        StreamCandle(
            "BTCUSDT",
            Candle(
                1786173300000,
                64970.8,
                64970.9,
                64969.4,
                64969.4,
                9.09,
                volume_delta=pytest.approx(2 * 3.46 - 9.09),
            ),
            is_closed=True,
            event_ms=1786173360960,
        )
    ]
    assert mark == liquidation == []


def test_half_a_minute_of_recorded_frames_is_read_whole(market_data):
    records = read(market_data, "cryptofeed_binance_usdm_20210722.jsonl")
    messages = [m for r in records if r["dir"] == "recv" for m in parse(r["frame"])]
    candles = [message for message in messages if isinstance(message, StreamCandle)]
    trades = [message for message in messages if isinstance(message, StreamTrade)]

    assert (len(candles), len(trades)) == (67, 91)
    assert sum(candle.is_closed for candle in candles) == 4
    assert {trade.taker_side for trade in trades} == {"buy", "sell"}
    assert len(messages) == len(candles) + len(trades)


def test_candles_of_other_lengths_are_passed_over():
    candle = {"t": 0, "s": "X", "i": "5m"}
    assert parse({"e": "kline", "E": 1, "k": candle}) == []


def test_refusals_say_why():
    refusal = {"error": {"code": 2, "msg": "Invalid request: unknown stream"}, "id": 7}
    assert parse(refusal) == [Answer("7", None, "Invalid request: unknown stream")]


def test_the_server_says_that_it_leaves():
    assert parse({"e": "serverShutdown", "E": 1}) == [ServerLeaving()]


def test_requests_hold_a_hundred_channels_at_most():
    channels = [f"coin{number}usdt@kline_1m" for number in range(250)]
    requests = VENUE.subscribe(MarketKind.SPOT, channels, first_id=4)
    messages = [json.loads(request.text) for request in requests]

    assert [len(message["params"]) for message in messages] == [100, 100, 50]
    assert [message["id"] for message in messages] == [4, 5, 6]
    assert [request.id for request in requests] == ["4", "5", "6"]
    assert sum((request.channels for request in requests), ()) == tuple(channels)
    (leave,) = VENUE.unsubscribe(MarketKind.SPOT, channels[:1], first_id=9)
    assert json.loads(leave.text) == {"method": "UNSUBSCRIBE", "params": channels[:1], "id": 9}


def test_candles_and_trades_of_usd_m_come_from_the_path_that_is_not_mute():
    assert VENUE.facts.urls[MarketKind.PERPETUAL] == "wss://fstream.binance.com/market/ws"
    assert VENUE.facts.urls[MarketKind.SPOT] == "wss://stream.binance.com:9443/ws"
    assert VENUE.candle_channel(BTC) == "btcusdt@kline_1m"
    assert VENUE.trade_channel(BTC) == "btcusdt@aggTrade"
