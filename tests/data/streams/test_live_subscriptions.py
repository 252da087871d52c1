"""Who listens to what: several listeners, late ones, ticks, coarser candles, failures."""

import asyncio
from dataclasses import replace

import pytest

from data.ccxt_client import ExchangeSettings
from data.errors import ExchangeError, UnknownSymbol, UnsupportedRequest
from data.live import LiveDataProvider
from data.simulator.faults import Gap
from data.venues.binance_stream import BinanceStream, simulated_stream
from engine.timeframe import MINUTE_MS

FIRST = 1_735_741_800_000
BTC, BTC_TRADES, ETH = "btcusdt@kline_1m", "btcusdt@aggTrade", "ethusdt@kline_1m"
GAP_GRACE_S, RECONNECT_S = 0.25, 1.5


def at(minute):
    return FIRST + minute * MINUTE_MS


async def test_listeners_of_one_symbol_share_its_subscription(market, listener, recorder):
    second = recorder()
    await market.live.subscribe_market("btc", second)
    await market.pass_minutes(3)

    assert await listener.candles(3) == await second.candles(3)
    assert market.exchange.state()["sockets"] == [[BTC]]
    assert market.live.health()[0].listeners == 2


async def test_symbols_share_one_connection(market, listener, recorder):
    other = recorder()
    await market.live.subscribe_market("ETH/USDT", other)
    await market.until_subscribed([BTC, ETH])
    await market.pass_minutes(2)
    await listener.candles(2)
    await other.candles(2)

    assert market.exchange.state()["sockets"] == [[BTC, ETH]]
    assert [health.symbol for health in market.live.health()] == ["BTC/USDT", "ETH/USDT"]
    assert {event.symbol for event in other.arrived} == {"ETH/USDT"}
    assert other.arrived[0].candle != listener.arrived[0].candle


async def test_what_nobody_listens_to_is_given_back(market, listener, recorder):
    other = recorder()
    await market.live.subscribe_market("ETH/USDT", other)
    await market.until_subscribed([BTC, ETH])
    await market.live.unsubscribe_market("ETH/USDT", other)
    await market.until_subscribed([BTC])
    await market.live.unsubscribe_market("ETH/USDT", other)  # no error
    await market.pass_minutes(1)
    await listener.candles(1)
    await market.live.unsubscribe_market("BTC/USDT", listener)
    await market.until_subscribed([])

    assert other.arrived == []
    assert market.live.health() == ()


async def test_a_symbol_can_be_left_and_taken_again(market, listener):
    await market.pass_minutes(1)
    await listener.candles(1)
    await market.live.unsubscribe_market("BTC/USDT", listener)
    await market.until_subscribed([])
    await market.pass_minutes(2)
    await market.live.subscribe_market("BTC/USDT", listener, after=at(0))
    await listener.candles(3)
    await market.until_subscribed([BTC])
    await market.pass_minutes(1)

    assert await listener.candles(4) == await market.rest_candles(0, 4)
    assert listener.backfilled == [1, 2]


async def test_a_listener_that_was_away_gets_what_it_missed_first(market, listener, recorder):
    await market.pass_minutes(2)
    await listener.candles(2)
    returning = recorder()
    await market.live.subscribe_market("BTC/USDT", returning, after=at(-1440))
    await market.pass_minutes(1)
    candles = await returning.candles(1442)
    await listener.candles(3)

    assert candles == await market.rest_candles(-1439, 1442)
    assert returning.arrived[0].backfilled
    assert listener.minutes == [0, 1, 2]  # those who were there notice nothing


async def test_a_listener_that_joins_late_begins_with_the_forming_candle(
    market, listener, recorder
):
    await market.pass_minutes(2)
    await listener.candles(2)
    late = recorder()
    await market.live.subscribe_market("BTC/USDT", late)
    await market.pass_minutes(1)
    await late.candles(1)

    assert late.minutes == [2]


async def test_every_listener_of_a_broken_stream_is_told_and_made_whole(market, listener, recorder):
    second = recorder()
    await market.live.subscribe_market("BTC/USDT", second, after=at(-2))
    await second.candles(1)
    await market.exchange.set_faults(drop_sockets=True)
    await second.down()
    await market.pass_minutes(2)
    market.exchange.faults.set(gaps=(Gap("BTCUSDT", at(3), at(3)),))
    await market.timing.wake(RECONNECT_S)
    await second.candles(3)
    await market.until_subscribed([BTC])
    await market.pass_minutes(3)
    await market.timing.wake(GAP_GRACE_S)
    await second.candles(5)
    await listener.candles(4)

    assert second.minutes == [-1, 0, 1, 2, 4]
    assert listener.minutes == [0, 1, 2, 4]
    assert listener.outages == second.outages


async def test_who_joins_while_the_stream_is_down_is_told(market, listener, recorder):
    await market.exchange.set_faults(drop_sockets=True)
    await listener.down()
    same, other = recorder(), recorder()
    await market.live.subscribe_market("BTC/USDT", same)
    await market.live.subscribe_market("ETH/USDT", other)
    await market.timing.wake(RECONNECT_S)
    for each in (listener, same, other):
        await each.up()

    assert same.outages == listener.outages
    assert [type(event).__name__ for event in other.outages] == ["StreamDown", "StreamUp"]


async def test_ticks_come_to_those_who_ask_and_only_while_they_do(market, listener, recorder):
    trader = recorder()
    await market.live.subscribe_market("BTC/USDT", trader, ticks=True)
    await market.until_subscribed([BTC, BTC_TRADES])
    await market.pass_minutes(1)
    await trader.candles(1)
    await listener.candles(1)
    await market.live.unsubscribe_market("BTC/USDT", trader)
    await market.until_subscribed([BTC])
    (candle,) = [event.candle for event in trader.arrived]
    times = [tick.time_ms for tick in trader.ticks]

    assert len(times) > 5
    assert times == sorted(times)
    assert all(tick.symbol == "BTC/USDT" for tick in trader.ticks)
    assert {tick.taker_side for tick in trader.ticks} == {"buy", "sell"}
    inside = [tick.price for tick in trader.ticks if tick.time_ms < at(1)]
    assert candle.low <= min(inside)
    assert max(inside) <= candle.high
    assert listener.ticks == []


async def test_a_listener_that_fails_is_dropped_and_harms_no_other(market, listener, recorder):
    broken = recorder()
    broken.on_candle = lambda event: 1 / 0
    await market.live.subscribe_market("BTC/USDT", broken)
    await market.pass_minutes(2)
    await listener.candles(2)

    (failure,) = broken.failures
    assert "ZeroDivisionError" in failure.reason
    assert market.live.health()[0].listeners == 1


async def test_a_listener_that_fails_on_a_tick_or_an_outage_is_dropped_too(
    market, listener, recorder
):
    on_tick, on_outage = recorder(), recorder()
    on_tick.on_tick = lambda tick: 1 / 0
    on_outage.on_outage = lambda event: 1 / 0
    await market.live.subscribe_market("BTC/USDT", on_tick, ticks=True)
    await market.live.subscribe_market("BTC/USDT", on_outage)
    await market.until_subscribed([BTC, BTC_TRADES])
    await market.pass_minutes(1)
    await on_tick.until(lambda: on_tick.failures)
    await market.until_subscribed([BTC])
    await market.exchange.set_faults(drop_sockets=True)
    await on_outage.until(lambda: on_outage.failures)

    assert market.live.health()[0].listeners == 1


async def test_a_listener_can_not_be_subscribed_twice(market, listener):
    with pytest.raises(UnsupportedRequest, match="already"):
        await market.live.subscribe_market("BTC/USDT", listener)


async def test_an_unknown_symbol_is_refused_before_anything_opens(market, recorder):
    with pytest.raises(UnknownSymbol, match="did you mean"):
        await market.live.subscribe_market("BTCC/USDT", recorder())
    assert market.live.health() == ()


async def test_a_function_gets_whole_coarser_candles(market):
    candles, done = [], asyncio.Event()

    async def take(candle):
        candles.append(candle)
        if len(candles) == 2:
            done.set()

    await market.live.subscribe("BTC/USDT", "5m", take)
    await market.until_subscribed([BTC])
    await market.pass_minutes(10)
    async with asyncio.timeout(10):
        await done.wait()
    start = FIRST
    expected = await market.live.get_historical_candles(
        "BTC/USDT", "5m", start, start + 10 * MINUTE_MS
    )

    assert [candle.timestamp for candle in candles] == [at(0), at(5)]
    assert [(c.open, c.high, c.low, c.close) for c in candles] == [
        (c.open, c.high, c.low, c.close) for c in expected
    ]
    await market.live.unsubscribe("BTC/USDT", "5m")
    assert market.live.health() == ()


async def test_a_coarser_candle_is_whole_though_subscribed_in_its_middle(market):
    candles = asyncio.Queue()
    await market.live.subscribe("BTC/USDT", "1h", candles.put_nowait)
    await market.until_subscribed([BTC])
    await market.pass_minutes(30)
    async with asyncio.timeout(10):
        candle = await candles.get()
    minutes = await market.rest_candles(-30, 60)

    assert candle.timestamp == at(-30)
    assert (candle.open, candle.close) == (minutes[0].open, minutes[-1].close)
    assert candle.volume == pytest.approx(sum(minute.volume for minute in minutes))


async def test_a_function_that_fails_ends_its_subscription_and_is_told_of(market, listener):
    async def fail(candle):
        raise ValueError("no good")

    await market.live.subscribe("BTC/USDT", "1m", fail)
    await market.pass_minutes(1)
    await listener.candles(1)
    while not market.failures:  # noqa: ASYNC110 - until the function's task has died
        await asyncio.sleep(0)

    assert "no good" in market.failures[0].reason
    assert market.live.health()[0].listeners == 1


async def test_more_symbols_than_fit_get_another_connection(open_market, recorder):
    names = ["BTC", "ETH", "SOL"]
    facts = replace(simulated_stream().facts, channels_per_connection=4)
    async with open_market(venue=BinanceStream(facts)) as market:
        for name in names:
            await market.live.subscribe_market(f"{name}/USDT", recorder())
        await market.until_subscribed([f"{name.lower()}usdt@kline_1m" for name in names])
        sockets = market.exchange.state()["sockets"]

    assert sorted(len(socket) for socket in sockets) == [1, 2]


def test_addresses_are_checked_at_once():
    with pytest.raises(UnsupportedRequest, match="EXCHANGE_WS_URL"):
        LiveDataProvider(ExchangeSettings("simulated"), history=None)
    with pytest.raises(ExchangeError, match="no address"):
        LiveDataProvider(ExchangeSettings("binance", ws_url="http://here"), history=None)


async def test_closing_leaves_no_task_and_tells_nobody(market, listener):
    before = asyncio.all_tasks()
    await market.live.aclose()
    await market.until_subscribed([])

    assert not any("stream" in task.get_name() for task in asyncio.all_tasks() & before)
    assert listener.outages == listener.failures == []
