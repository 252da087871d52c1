"""What a symbol's frames tell of the exchange's time."""

import pytest

from data.retry import Timing
from data.streams.exchange_time import ExchangeTime
from data.streams.feed import SymbolFeed
from data.streams.policy import StreamPolicy
from data.streams.tasks import TaskOwner
from data.venues.base import Instrument, MarketKind
from data.venues.base_stream import BUY, StreamTrade
from data.venues.hyperliquid_stream import HyperliquidStream

MINUTE = 60_000
T = 1_700_000_100_000


class Clock:
    def __init__(self):
        self.seconds = 50.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def time(clock):
    time = ExchangeTime(clock)
    time.observe(T)
    return time


@pytest.fixture
def feed(clock, time):
    return SymbolFeed(
        "BTC/USDC:USDC",
        Instrument("BTC/USDC:USDC", "BTC", MarketKind.PERPETUAL),
        HyperliquidStream().facts,
        begins=T,
        fetch=None,
        time=time,
        timing=Timing(monotonic=clock),
        policy=StreamPolicy(),
        tasks=TaskOwner(),
        link=None,
        on_abandoned=lambda: None,
    )


def trade_at(time_ms):
    return StreamTrade("BTC", 100.0, 1.0, time_ms, BUY)


def test_trades_of_the_past_that_a_subscription_begins_with_set_no_clock_back(feed, time, clock):
    for ago in (3 * 60 * MINUTE, MINUTE, 1):
        feed.take_trade(trade_at(T - ago))
        assert time.now_ms() == T

    clock.seconds += 2.0
    feed.take_trade(trade_at(T + 1_500))
    assert time.now_ms() == T + 2_000


def test_a_trade_that_is_newer_sets_the_clock_forward(feed, time, clock):
    feed.take_trade(trade_at(T + 30_000))
    clock.seconds += 1.0

    assert time.now_ms() == T + 31_000
