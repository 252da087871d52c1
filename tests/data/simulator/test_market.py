"""The simulated market: determinism, consistency of its parts, and plausibility."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.simulator.errors import MarketTimeError, UnknownIntervalError, UnknownSymbolError
from data.simulator.intervals import (
    interval_ms,
    interval_names,
    join_candles,
    next_open_time,
    open_time_of,
)
from data.simulator.market import FUNDING_MS, LISTED_AT_MS, SimulatedMarket
from data.simulator.path import DAY_MS, MINUTE_MS
from data.simulator.symbols import listed_symbols

START = 1_704_067_200_000  # 2024-01-01
SYMBOLS = [spec.symbol for spec in listed_symbols()]

minutes_from_listing = st.integers(0, 3_000_000)


@pytest.fixture(scope="module")
def year():
    return SimulatedMarket(11).candles("BTCUSDT", START, 365 * 1440)


def test_same_seed_gives_the_same_bytes_and_another_seed_or_symbol_does_not():
    first = SimulatedMarket(5).candles("ETHUSDT", START, 3000)
    again = SimulatedMarket(5).candles("ETHUSDT", START, 3000)
    other_seed = SimulatedMarket(6).candles("ETHUSDT", START, 3000)
    other_symbol = SimulatedMarket(5).candles("BNBUSDT", START, 3000)

    assert first.tobytes() == again.tobytes()
    assert np.mean(first["close"] == other_seed["close"]) < 0.01
    returns = [np.diff(np.log(table["close"])) for table in (first, other_symbol)]
    assert abs(np.corrcoef(*returns)[0, 1]) < 0.1


@settings(max_examples=25, deadline=None)
@given(first=minutes_from_listing, lengths=st.lists(st.integers(1, 2000), min_size=1, max_size=4))
def test_candles_are_the_same_however_the_request_is_split(first, lengths):
    start = LISTED_AT_MS + first * MINUTE_MS
    whole = SimulatedMarket(3).candles("SOLUSDT", start, sum(lengths))
    market = SimulatedMarket(3)
    parts, offset = [], sum(lengths)
    for length in reversed(lengths):  # backwards: no order of asking may matter
        offset -= length
        parts.insert(0, market.candles("SOLUSDT", start + offset * MINUTE_MS, length))

    assert np.concatenate(parts).tobytes() == whole.tobytes()


@settings(max_examples=40, deadline=None)
@given(symbol=st.sampled_from(SYMBOLS), first=minutes_from_listing, seed=st.integers(0, 2**63))
def test_every_candle_is_consistent(symbol, first, seed):
    market = SimulatedMarket(seed)
    spec = market.spec(symbol)
    start = LISTED_AT_MS + first * MINUTE_MS
    units = market.minutes(symbol, start, start + 500 * MINUTE_MS)

    assert np.all(np.diff(units["timestamp"]) == MINUTE_MS)
    assert np.all(units["low"] > 0)
    for name in ("open", "close"):
        assert np.all(units["low"] <= units[name])
        assert np.all(units[name] <= units["high"])
    for name in ("open", "high", "low", "close"):
        assert np.all(units[name] % spec.tick_units == 0)
    assert np.all(np.abs(units["open"][1:] - units["close"][:-1]) <= spec.tick_units)
    assert np.all(units["volume"] > 0)
    assert np.all((units["taker_buy_base"] >= 0) & (units["taker_buy_base"] <= units["volume"]))
    assert np.all(units["quote_volume"] >= units["low"] * units["volume"])
    assert np.all(units["quote_volume"] <= units["high"] * units["volume"])
    assert np.all(units["trades"] > 0)


@settings(max_examples=40, deadline=None)
@given(symbol=st.sampled_from(SYMBOLS), minute=minutes_from_listing, seed=st.integers(0, 1_000_000))
def test_the_trades_of_a_minute_make_up_its_candle(symbol, minute, seed):
    market = SimulatedMarket(seed)
    open_time = LISTED_AT_MS + minute * MINUTE_MS
    candle = market.minutes(symbol, open_time, open_time + MINUTE_MS)[0]
    ticks = market.ticks(symbol, open_time)

    assert ticks.price[0] == candle["open"]
    assert ticks.price[-1] == candle["close"]
    assert ticks.price.max() == candle["high"]
    assert ticks.price.min() == candle["low"]
    assert ticks.quantity.sum() == candle["volume"]
    assert ticks.quantity[~ticks.is_buyer_maker].sum() == candle["taker_buy_base"]
    assert ticks.quantity.min() > 0
    assert ticks.trades.sum() == candle["trades"]
    assert np.all(np.diff(ticks.time_ms) >= 0)
    assert ticks.time_ms[0] == open_time
    assert ticks.time_ms[-1] < open_time + MINUTE_MS


@settings(max_examples=30, deadline=None)
@given(
    interval=st.sampled_from(interval_names()), day=st.integers(0, 2000), count=st.integers(1, 4)
)
def test_longer_candles_equal_the_aggregation_of_their_minutes(interval, day, count):
    market = SimulatedMarket(9)
    length = interval_ms(interval)
    first = next_open_time(LISTED_AT_MS + day * DAY_MS, length)
    bars = market.bars("XRPUSDT", interval, first, count)

    assert list(bars["timestamp"]) == [first + i * length for i in range(count)]
    for bar in bars:
        minutes = market.minutes("XRPUSDT", int(bar["timestamp"]), int(bar["timestamp"]) + length)
        assert len(minutes) == length // MINUTE_MS
        assert bar["open"] == minutes["open"][0]
        assert bar["close"] == minutes["close"][-1]
        assert bar["high"] == minutes["high"].max()
        assert bar["low"] == minutes["low"].min()
        for name in ("volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote"):
            assert bar[name] == minutes[name].sum()


def test_days_and_eras_join_without_a_jump():
    market = SimulatedMarket(2)
    units = market.minutes("BTCUSDT", START, START + 800 * DAY_MS)
    midnights = np.flatnonzero(units["timestamp"] % DAY_MS == 0)[1:]
    gaps = np.abs(units["open"][midnights] - units["close"][midnights - 1])

    assert gaps.max() <= market.spec("BTCUSDT").tick_units


def test_a_year_of_bitcoin_looks_like_a_market(year):
    returns = np.diff(np.log(year["close"]))
    absolute = np.abs(returns)
    kurtosis = np.mean((returns - returns.mean()) ** 4) / returns.var() ** 2
    daily = np.diff(np.log(year["close"][1439::1440]))
    gaps = np.abs(year["open"][1:] / year["close"][:-1] - 1.0)

    assert kurtosis > 3
    assert np.corrcoef(absolute[:-1], absolute[1:])[0, 1] > 0.1
    assert np.corrcoef(absolute[:-1440], absolute[1440:])[0, 1] > 0.03
    assert abs(np.corrcoef(returns[:-1], returns[1:])[0, 1]) < 0.05
    assert 0.35 < returns.std() * np.sqrt(525_600) < 0.85
    assert 0.35 < daily.std() * np.sqrt(365) < 0.85
    assert gaps.max() < 1e-4
    hourly_range = (year["high"] - year["low"]).reshape(-1, 24, 60).mean(axis=(0, 2))
    assert hourly_range.max() > 1.3 * hourly_range.min()


@pytest.mark.parametrize("seed", range(4))
def test_the_price_stays_within_a_plausible_range_over_four_years(seed):
    bars = SimulatedMarket(seed).bars("BTCUSDT", "1w", 1_640_563_200_000, 208)

    assert bars["high"].max() < 5 * bars["open"][0]
    assert bars["low"].min() > 0.2 * bars["open"][0]
    assert 15_000_00 < bars["close"].min() < bars["close"].max() < 250_000_00


def test_a_crossover_of_averages_sometimes_wins_and_sometimes_loses():
    yearly = []
    for seed in range(6):
        close = np.log(SimulatedMarket(seed).bars("BTCUSDT", "4h", START, 6 * 730)["close"])
        fast = np.convolve(close, np.ones(20) / 20, "valid")[80:]
        slow = np.convolve(close, np.ones(100) / 100, "valid")
        gains = np.where(fast > slow, 1, -1)[:-1] * np.diff(close[99:])
        yearly += [float(part.sum()) for part in np.array_split(gains, 2)]

    winning = sum(gain > 0 for gain in yearly)
    assert 2 <= winning <= 10


def test_funding_comes_every_eight_hours_and_stays_small():
    funding = SimulatedMarket(1).funding("BTCUSDT", START, 900)

    assert np.all(np.diff(funding.timestamp) == FUNDING_MS)
    assert np.abs(funding.rate).max() < 0.001
    assert 0 < funding.rate.mean() < 0.0003
    assert (funding.rate < 0).any()
    assert np.corrcoef(funding.rate[:-1], funding.rate[1:])[0, 1] > 0.3


def test_open_interest_moves_little_from_step_to_step():
    interest = SimulatedMarket(1).open_interest("BTCUSDT", START, 288 * 30).open_interest

    assert interest.min() > 0
    assert np.abs(np.diff(np.log(interest))).max() < 0.02
    assert interest.max() > 1.05 * interest.min()


def test_questions_without_an_answer_are_refused():
    market = SimulatedMarket(1)

    with pytest.raises(UnknownSymbolError, match="BTCUSDT"):
        market.candles("NOPEUSDT", START, 1)
    with pytest.raises(MarketTimeError, match="before the listing"):
        market.candles("BTCUSDT", LISTED_AT_MS - MINUTE_MS, 1)
    with pytest.raises(MarketTimeError, match="not the open time"):
        market.candles("BTCUSDT", START + 1, 1)
    with pytest.raises(MarketTimeError, match="whole minute"):
        SimulatedMarket(1, listed_at=LISTED_AT_MS + 1)
    with pytest.raises(UnknownIntervalError, match="2m"):
        market.bars("BTCUSDT", "2m", START, 1)


def test_nothing_exists_before_the_listing():
    market = SimulatedMarket(1)

    assert len(market.minutes("BTCUSDT", 0, LISTED_AT_MS)) == 0
    assert len(market.hours("BTCUSDT", 0, LISTED_AT_MS)) == 0
    week = market.bars("BTCUSDT", "1w", open_time_of(LISTED_AT_MS, interval_ms("1w")), 1)
    assert (
        week["volume"][0]
        == market.minutes("BTCUSDT", LISTED_AT_MS, LISTED_AT_MS + DAY_MS)["volume"].sum()
    )


def test_weeks_open_on_monday():
    assert open_time_of(START + 3 * DAY_MS, interval_ms("1w")) == START  # 2024-01-01 is a Monday


def test_joining_no_candles_gives_none():
    empty = SimulatedMarket(1).minutes("BTCUSDT", START, START)

    assert len(join_candles(empty, interval_ms("1h"))) == 0
