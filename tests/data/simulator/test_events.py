"""The frames of an interval of market time, made without sockets."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.simulator.events import FrameSource
from data.simulator.market import LISTED_AT_MS, SimulatedMarket
from data.simulator.path import MINUTE_MS

NOON = 1_735_732_800_000
ALL = (
    "btcusdt@kline_1m",
    "btcusdt@kline_5m",
    "btcusdt@aggTrade",
    "btcusdt@markPrice",
    "ethusdt@kline_1m",
)
SOURCE = FrameSource(SimulatedMarket(8))


def payloads(frames, stream):
    return [json.loads(frame.text) for frame in frames if frame.stream == stream]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 4 * MINUTE_MS), max_size=8))
def test_any_split_of_an_interval_gives_the_same_frames(cuts):
    end = NOON + 4 * MINUTE_MS
    whole = SOURCE.frames(ALL, NOON, end)
    bounds = sorted({NOON, *(NOON + cut for cut in cuts), end})
    parts = [
        frame for after, until in pairwise(bounds) for frame in SOURCE.frames(ALL, after, until)
    ]

    assert parts == whole


def test_frames_come_in_order_of_time_and_within_the_interval():
    frames = SOURCE.frames(ALL, NOON, NOON + 10 * MINUTE_MS)
    times = [frame.time_ms for frame in frames]

    assert times == sorted(times)
    assert NOON < times[0] <= times[-1] <= NOON + 10 * MINUTE_MS
    assert [json.loads(frame.text)["E"] for frame in frames] == times


def test_each_candle_closes_once_and_late_while_the_next_one_already_trades():
    frames = SOURCE.frames(["btcusdt@kline_1m"], NOON, NOON + 20 * MINUTE_MS + 1000)
    klines = payloads(frames, "btcusdt@kline_1m")
    closing = [kline for kline in klines if kline["k"]["x"]]
    delays = [kline["E"] - kline["k"]["T"] for kline in closing]

    # the first is the candle that ended at noon
    assert [kline["k"]["t"] for kline in closing] == [NOON + i * MINUTE_MS for i in range(-1, 20)]
    assert all(150 <= delay <= 1000 for delay in delays)
    assert len(set(delays)) > 5
    overtaken = [
        kline["k"]["t"]
        for before, kline in pairwise(klines)
        if kline["k"]["x"] and before["k"]["t"] > kline["k"]["t"]
    ]
    assert overtaken


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "1d"])
def test_the_closing_frame_is_the_market_s_candle(interval):
    market = SimulatedMarket(8)
    source = FrameSource(market, kline_updates=False)
    midnight = 1_735_776_000_000
    frames = source.frames([f"dogeusdt@kline_{interval}"], midnight, midnight + 1000)
    (kline,) = (json.loads(frame.text)["k"] for frame in frames)
    bar = market.bars("DOGEUSDT", interval, kline["t"], 1)[0]

    assert kline["x"] is True
    assert kline["T"] == midnight - 1
    assert kline["o"] == f"{bar['open'] / 1e5:.5f}"
    assert kline["c"] == f"{bar['close'] / 1e5:.5f}"
    assert kline["v"] == str(bar["volume"])
    assert kline["V"] == str(bar["taker_buy_base"])
    assert kline["n"] == bar["trades"]


def test_a_forming_candle_only_grows():
    frames = SOURCE.frames(["btcusdt@kline_5m"], NOON, NOON + 5 * MINUTE_MS + 1000)
    klines = [
        kline["k"] for kline in payloads(frames, "btcusdt@kline_5m") if kline["k"]["t"] == NOON
    ]

    assert len(klines) > 100
    assert klines[-1]["x"]
    for before, after in pairwise(klines):
        assert before["o"] == after["o"]
        assert float(before["h"]) <= float(after["h"])
        assert float(before["l"]) >= float(after["l"])
        for name in ("v", "q", "V", "Q", "n", "L"):
            assert float(before[name]) <= float(after[name])


def test_trades_add_up_to_the_candle():
    frames = SOURCE.frames(["btcusdt@aggTrade"], NOON - 1, NOON + MINUTE_MS + 500)
    trades = [
        trade
        for trade in payloads(frames, "btcusdt@aggTrade")
        if NOON <= trade["T"] < NOON + MINUTE_MS
    ]
    candle = SimulatedMarket(8).candles("BTCUSDT", NOON, 1)[0]

    assert float(trades[0]["p"]) == candle["open"]
    assert float(trades[-1]["p"]) == candle["close"]
    assert max(float(trade["p"]) for trade in trades) == candle["high"]
    assert sum(round(float(trade["q"]) * 1000) for trade in trades) == round(
        candle["volume"] * 1000
    )
    assert sum(trade["l"] - trade["f"] + 1 for trade in trades) == candle["trades"]
    ids = [trade["a"] for trade in trades]
    assert ids == sorted(set(ids))


def test_frames_carry_the_fields_of_recorded_ones(market_data):
    path = market_data / "frames" / "binance_usdm_market_recorded_20260808.jsonl"
    lines = path.read_text().splitlines()
    recorded = [json.loads(line)["frame"]["data"] for line in lines]
    fields = {frame["e"]: frame for frame in recorded}
    frames = SOURCE.frames(ALL, NOON, NOON + MINUTE_MS)
    for event, stream in [
        ("kline", "btcusdt@kline_1m"),
        ("aggTrade", "btcusdt@aggTrade"),
        ("markPriceUpdate", "btcusdt@markPrice"),
    ]:
        own = payloads(frames, stream)[0]
        assert list(own) == list(fields[event])
        assert {key: type(value) for key, value in own.items()} == {
            key: type(value) for key, value in fields[event].items()
        }
    own_candle = payloads(frames, "btcusdt@kline_1m")[0]["k"]
    assert {key: type(value) for key, value in own_candle.items()} == {
        key: type(value) for key, value in fields["kline"]["k"].items()
    }


def test_mark_prices_come_every_three_seconds_or_every_second():
    slow = SOURCE.frames(["btcusdt@markPrice"], NOON - 1, NOON + MINUTE_MS - 1)
    fast = SOURCE.frames(["btcusdt@markPrice@1s"], NOON - 1, NOON + MINUTE_MS - 1)

    assert len(slow) == 20
    assert len(fast) == 60


def test_updates_can_be_slower_or_left_out():
    market = SimulatedMarket(8)
    streams = ["btcusdt@kline_1m"]
    quick = FrameSource(market).frames(streams, NOON, NOON + MINUTE_MS)
    slow = FrameSource(market, update_ms=2000).frames(streams, NOON, NOON + MINUTE_MS)
    none = FrameSource(market, kline_updates=False).frames(streams, NOON, NOON + MINUTE_MS)

    assert len(quick) > 60
    assert len(slow) < 32
    assert [frame.closes for frame in none] == [True]


@pytest.mark.parametrize(
    "stream", ["nopeusdt@kline_1m", "btcusdt@kline_2m", "btcusdt@depth", "BTCUSDT@aggTrade", "x"]
)
def test_streams_that_do_not_exist_stay_silent(stream):
    assert SOURCE.frames([stream], NOON, NOON + MINUTE_MS) == []


def test_there_are_no_frames_before_the_listing():
    assert SOURCE.frames(ALL, 0, LISTED_AT_MS - 1) == []
