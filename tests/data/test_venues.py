"""Requests and parse functions of the exchanges, on recorded and documented bodies."""

import json

import numpy as np
import pytest

from data.errors import UnknownExchange
from data.venues.base import Instrument, MarketKind, TimedValue, to_floats, to_times
from data.venues.binance import Binance
from data.venues.bybit import Bybit
from data.venues.catalog import EXCHANGES, find_venue
from data.venues.hyperliquid import Hyperliquid
from engine.candles import CandleSeries
from engine.timeframe import TIMEFRAMES

SPOT = Instrument("BTC/USDT", "BTCUSDT", MarketKind.SPOT)
PERPETUAL = Instrument("BTC/USDT:USDT", "BTCUSDT", MarketKind.PERPETUAL)
COIN = Instrument("BTC/USDC:USDC", "BTC", MarketKind.PERPETUAL)


def as_series(columns, timeframe):
    prices = (columns.open, columns.high, columns.low, columns.close, columns.volume)
    return CandleSeries(timeframe, columns.timestamp, *prices, volume_delta=columns.volume_delta)


@pytest.fixture
def frames(market_data):
    """Read a recorded message file."""
    return lambda name: json.loads((market_data / "frames" / name).read_text())


def test_every_recorded_binance_answer_is_read_exactly(frames):
    recordings = frames("gct_binance_spot_rest.json")

    for recording in recordings:
        rows = recording["response"]
        columns = Binance().parse_candles(rows)
        assert columns.timestamp.tolist() == [row[0] for row in rows]
        for index, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
            assert getattr(columns, name).tolist() == [float(row[index]) for row in rows]
        deltas = [2 * float(row[9]) - float(row[5]) for row in rows]
        assert columns.volume_delta.tolist() == deltas
        assert len(as_series(columns, recording["query"].split("interval=")[1].split("&")[0]))
    assert sum(len(recording["response"]) for recording in recordings) > 3000


def test_recorded_binance_perpetual_candles_are_read(frames):
    bodies = frames("hummingbot_binance_perpetual_candles.json")

    series = as_series(Binance().parse_candles(bodies["get_candles_rest_data_mock"]), "1h")

    assert series[0].timestamp == 1718654400000
    assert series[0].close == 66376.0
    assert series[0].volume_delta == 2 * 7106.240 - 14150.996


def test_recorded_hyperliquid_candles_are_read(frames):
    bodies = frames("hummingbot_hyperliquid_spot_candles.json")

    columns = Hyperliquid().parse_candles(bodies["get_candles_rest_data_mock"])

    assert columns.volume_delta is None
    assert as_series(columns, "1h")[0].high == 7.8819
    assert columns.timestamp[0] == 1718895600000


def test_documented_binance_answers_are_read(frames):
    cases = frames("nautilus_binance_usdm_docs.json")
    bodies = {case["path"].rsplit("/", 1)[-1]: case["json"] for case in cases}

    klines = Binance().parse_candles(bodies["http_spot_market_klines.json"])
    interest = Binance().parse_open_interest(
        bodies["http_futures_market_open_interest_historical.json"]
    )
    funding = Binance().parse_funding(bodies["http_futures_market_funding_rate.json"])

    assert len(as_series(klines, "1m")) == 10
    assert interest.time.tolist() == [1583127900000, 1583128200000]
    assert interest.values.tolist() == [20403.637, 20401.367]
    assert funding.time.tolist() == [1570608000000, 1570636800000]
    assert funding.values.tolist() == [-0.0375, 0.0001]


def test_bybit_lists_are_turned_round():
    rows = [
        ["1670608860000", "17055", "17073", "17027", "17055.5", "268611", "15.74"],
        ["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74"],
    ]

    columns = Bybit().parse_candles({"result": {"list": rows}})

    assert columns.timestamp.tolist() == [1670608800000, 1670608860000]
    assert columns.open.tolist() == [17071.0, 17055.0]
    assert columns.volume_delta is None


def test_bybit_flow_is_put_in_order():
    interest = [
        {"openInterest": "461134384.5", "timestamp": "1669571400000"},
        {"openInterest": "461134292", "timestamp": "1669571100000"},
    ]
    funding = [
        {"fundingRate": "0.0001", "fundingRateTimestamp": "1672041600000"},
        {"fundingRate": "-0.0002", "fundingRateTimestamp": "1672012800000"},
    ]

    known = Bybit().parse_open_interest({"result": {"list": interest}})
    rates = Bybit().parse_funding({"result": {"list": funding}})

    assert known.time.tolist() == [1669571100000, 1669571400000]
    assert known.values.tolist() == [461134292.0, 461134384.5]
    assert rates.values.tolist() == [-0.0002, 0.0001]


def test_hyperliquid_funding_is_read():
    answer = [{"coin": "ETH", "fundingRate": "0.0000125", "premium": "0", "time": 1704290400031}]

    funding = Hyperliquid().parse_funding(answer)

    assert (funding.time[0], funding.values[0]) == (1704290400031, 0.0000125)


@pytest.mark.parametrize("name", EXCHANGES)
def test_an_answer_without_candles_is_no_candles(name):
    venue = find_venue(name)
    empty = {"result": {"list": []}} if name == "bybit" else []

    assert len(venue.parse_candles(empty)) == 0


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize(
    "answer",
    [
        {},
        "<html>",
        None,
        {"code": -1, "msg": "no"},
        [[1, "2"]],
        [{"t": 1}],
        {"result": {"list": None}},
        {"result": {"list": [["x", "1", "1", "1", "1", "1", "1"]]}},
        [["x", *["1"] * 11]],
        [[None, *["1"] * 11]],
        [[1, "price", *["1"] * 10]],
        [["1.5", *["1"] * 11]],
    ],
    ids=str,
)
def test_an_answer_of_another_shape_is_unreadable(name, answer):
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        find_venue(name).parse_candles(answer)


def test_a_price_that_is_null_is_not_a_number():
    columns = Binance().parse_candles([[1, None, *["1"] * 10]])

    assert np.isnan(columns.open).all()


def test_binance_asks_for_a_window_without_its_end():
    call = Binance().candles_call(SPOT, "1h", 3_600_000, 7_200_000, limit=1000)

    assert call.method == "publicGetKlines"
    assert call.parameters == {
        "symbol": "BTCUSDT",
        "interval": "1h",
        "startTime": 3_600_000,
        "endTime": 7_199_999,
        "limit": 1000,
    }
    assert (call.weight, call.pool) == (2, "spot")


@pytest.mark.parametrize(
    ("limit", "weight"), [(99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10), (1500, 10)]
)
def test_binance_perpetuals_weigh_by_limit(limit, weight):
    call = Binance().candles_call(PERPETUAL, "1m", 0, 60_000, limit=limit)

    assert (call.method, call.weight) == ("fapiPublicGetKlines", weight)


def test_a_limited_page_of_perpetuals_is_the_one_with_most_candles_per_weight():
    def rate(rows):
        return rows / Binance().candles_call(PERPETUAL, "1m", 0, 60_000, limit=rows).weight

    limited = Binance().page_size(PERPETUAL, is_limited=True)

    assert rate(limited) == max(rate(rows) for rows in range(1, 1501))
    assert Binance().page_size(PERPETUAL, is_limited=False) == 1500
    assert Binance().page_size(SPOT, is_limited=True) == 1000


def test_bybit_always_says_how_many_candles():
    call = Bybit().candles_call(PERPETUAL, "4h", 0, 14_400_000, limit=1000)

    assert call.method == "publicGetV5MarketKline"
    assert call.parameters == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "interval": "240",
        "start": 0,
        "end": 14_399_999,
        "limit": 1000,
    }
    assert Bybit().candles_call(SPOT, "1m", 0, 1, limit=1).parameters["category"] == "spot"


def test_hyperliquid_asks_by_coin_and_weighs_by_rows():
    call = Hyperliquid().candles_call(COIN, "1m", 0, 300_000_000, limit=5000)

    assert call.method == "publicPostInfo"
    assert call.parameters == {
        "type": "candleSnapshot",
        "req": {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 299_999_999},
    }
    assert call.weight == pytest.approx(20 + 5000 / 60)
    assert Hyperliquid().open_interest_history(COIN) is None


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_spot_has_neither_open_interest_nor_funding(name):
    venue = find_venue(name)

    assert venue.open_interest_history(SPOT) is None
    assert venue.funding_history(SPOT) is None
    assert venue.funding_history(PERPETUAL) is not None


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_exchange_is_described_under_its_name(name):
    facts = find_venue(name).facts

    assert facts.name == name
    assert "1m" in facts.intervals
    assert set(facts.intervals) <= set(TIMEFRAMES)


def test_an_unknown_exchange_is_refused_with_those_that_are_known():
    with pytest.raises(UnknownExchange, match=r"'kraken'.*binance, bybit, hyperliquid, simulated"):
        find_venue("kraken")


def test_the_newest_open_interest_is_asked_where_no_stream_tells_it():
    call = Binance().newest_open_interest_call(PERPETUAL)
    body = {"openInterest": "10659.509", "symbol": "BTCUSDT", "time": 1589437530011}

    assert (call.method, call.parameters) == ("fapiPublicGetOpenInterest", {"symbol": "BTCUSDT"})
    assert (call.weight, call.pool) == (1, "perpetual")
    assert Binance().parse_newest_open_interest(body) == TimedValue(1589437530011, 10659.509)
    assert Binance().newest_open_interest_call(SPOT) is None
    assert Bybit().newest_open_interest_call(PERPETUAL) is None
    assert Hyperliquid().newest_open_interest_call(COIN) is None


@pytest.mark.parametrize("name", ["binance", "bybit", "hyperliquid"])
@pytest.mark.parametrize("records", [None, {"code": -1}, "<html>"], ids=str)
def test_funding_that_is_no_list_is_unreadable(name, records):
    answer = {"result": {"list": records}} if name == "bybit" else records
    with pytest.raises(ValueError, match=r"should be a list|not a list"):
        find_venue(name).parse_funding(answer)


def test_numbers_in_text_are_read_exactly():
    assert to_floats(["0.1", 2, None, 1e-9]).tolist()[:2] == [0.1, 2.0]
    assert np.isnan(to_floats([None]))
    assert to_times(["1700000000123", 1_700_000_000_124, 17e11]).tolist()[:1] == [1700000000123]


@pytest.mark.parametrize("value", ["1.5x", "", [1.0], {"price": 1}, (1.0, 2.0)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        to_floats([value])


@pytest.mark.parametrize(
    "value", [None, "soon", "1.5", 1.5, float("nan"), float("inf"), [1], 2**70]
)
def test_what_is_no_time_in_ms_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        to_times([value])
