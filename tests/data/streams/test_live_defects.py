"""What listeners are told when a part of live data dies, and what goes on without it."""

import asyncio
import logging

from data.ccxt_client import ExchangeSettings
from data.live import LiveDataProvider
from data.streams.events import AlertKind, ConnectionAlert, FeedFailed
from data.streams.group import FeedGroup
from data.venues.base_stream import Answer
from data.venues.binance_stream import BinanceStream, simulated_stream

FIRST = 1_735_741_800_000
BTC, ETH = "btcusdt@kline_1m", "ethusdt@kline_1m"
CHECK_S, RECONNECT_S = 7.0, 1.5


async def until(is_true):
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)


class FaultyVenue(BinanceStream):
    """The simulated exchange's streams, with a defect that a test turns on."""

    def __init__(self):
        super().__init__(simulated_stream().facts)
        object.__setattr__(self, "defect", None)

    def turn(self, defect):
        object.__setattr__(self, "defect", defect)

    def subscribe(self, kind, channels, *, first_id):
        if self.defect == "subscribe":
            raise RuntimeError("never thought of")
        return super().subscribe(kind, channels, first_id=first_id)

    def parse(self, text):
        answers = super().parse(text)
        if self.defect == "refuse":
            return [
                Answer(each.id, None, "symbol delisted") if isinstance(each, Answer) else each
                for each in answers
            ]
        return answers


async def test_the_death_of_a_connection_is_told_and_the_next_subscription_opens_another(
    open_market, recorder
):
    venue, first, second = FaultyVenue(), recorder(), recorder()
    async with open_market(venue=venue) as market:
        venue.turn("subscribe")
        await market.live.subscribe_market("BTC/USDT", first)
        await first.until(lambda: first.failures)
        assert market.live.health() == ()

        venue.turn(None)
        await market.live.subscribe_market("BTC/USDT", second)
        await market.until_subscribed([BTC])
        await market.pass_minutes(1)
        await second.candles(1)

    assert "never thought of" in first.failures[0].reason
    assert "see the log" in first.failures[0].reason
    assert (first.arrived, second.failures) == ([], [])


async def test_the_death_of_the_stream_checks_is_told_and_a_new_subscription_is_checked_again(
    market, listener, recorder, monkeypatch
):
    async def break_down(group):
        raise RuntimeError("never thought of")

    other, again = recorder(), recorder()
    await market.live.subscribe_market("ETH/USDT", other)
    with monkeypatch.context() as patch:
        patch.setattr(FeedGroup, "check", break_down)
        await market.timing.wake(CHECK_S)
        await listener.until(lambda: listener.failures)
        await other.until(lambda: other.failures)
    await market.live.subscribe_market("BTC/USDT", again)
    await market.timing.asleep(CHECK_S)

    assert [failure.symbol for failure in listener.failures + other.failures] == [
        "BTC/USDT",
        "ETH/USDT",
    ]
    assert "never thought of" in listener.failures[0].reason
    assert [health.symbol for health in market.live.health()] == ["BTC/USDT"]


async def test_a_stream_is_back_though_the_exchange_does_not_tell_its_time(
    market, listener, caplog
):
    await market.pass_minutes(1)
    await listener.candles(1)
    await market.exchange.set_faults(drop_sockets=True, server_error=1, rest_path="/fapi/v1/time")
    await listener.down()
    await market.timing.wake(RECONNECT_S)
    await listener.up()
    await market.until_subscribed([BTC])
    await market.pass_minutes(1)
    await listener.candles(2)

    assert "the exchange's time is estimated" in caplog.text
    assert listener.minutes == [0, 1]


async def test_the_calls_of_one_timeframe_end_and_those_of_another_go_on(market):
    minutes, fives = asyncio.Queue(), asyncio.Queue()
    await market.live.subscribe("BTC/USDT", "1m", minutes.put_nowait)
    await market.live.subscribe("BTC/USDT", "5m", fives.put_nowait)
    await market.until_subscribed([BTC])
    await market.live.unsubscribe("BTC/USDT", "1m")
    await market.live.unsubscribe("BTC/USDT", "1h")  # nobody asked for it
    await market.pass_minutes(5)
    async with asyncio.timeout(10):
        candle = await fives.get()

    assert candle.timestamp == FIRST
    assert minutes.empty()
    assert market.live.health()[0].listeners == 1


async def test_a_function_that_fails_after_its_symbol_has_ended_is_told_of_too(open_market):
    venue, is_called, goes_on = FaultyVenue(), asyncio.Event(), asyncio.Event()

    async def work(candle):
        is_called.set()
        await goes_on.wait()
        raise ValueError("no good")

    async with open_market(venue=venue) as market:
        await market.live.subscribe("BTC/USDT", "1m", work)
        await market.until_subscribed([BTC])
        await market.pass_minutes(1)
        async with asyncio.timeout(10):
            await is_called.wait()
        venue.turn("refuse")
        await market.exchange.set_faults(drop_sockets=True)
        await market.timing.wake(RECONNECT_S)
        await until(lambda: market.failures)
        assert market.live.health() == ()
        goes_on.set()
        await until(lambda: len(market.failures) == 2)

        assert "symbol delisted" in market.failures[0].reason
        assert "no good" in market.failures[1].reason


def test_without_anybody_to_tell_an_alert_is_in_the_log(caplog):
    settings = ExchangeSettings("simulated", ws_url="ws://127.0.0.1:1")
    live = LiveDataProvider(settings, history=None)
    with caplog.at_level(logging.INFO):
        for kind in (AlertKind.UNREACHABLE, AlertKind.RECOVERED):
            live._alert(ConnectionAlert(kind, "simulated", 3, 9.0, "refused", ("BTC/USDT",)))
        live._note_failure(FeedFailed("BTC/USDT", "delisted"))

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "simulated unreachable after 3 attempts"),
        ("INFO", "simulated recovered after 3 attempts"),
        ("ERROR", "live data of BTC/USDT ended: delisted"),
    ]


async def test_a_symbol_that_joins_while_the_time_is_asked_for_comes_up_once(
    open_market, recorder, monkeypatch
):
    is_asked, goes_on = asyncio.Event(), asyncio.Event()
    first, joining = recorder(), recorder()
    async with open_market() as market:
        await market.live.subscribe_market("BTC/USDT", first)
        await market.until_subscribed([BTC])
        (group,) = market.live._groups
        ask = group._now

        async def ask_slowly():
            is_asked.set()
            await goes_on.wait()
            return await ask()

        monkeypatch.setattr(group, "_now", ask_slowly)
        await market.exchange.set_faults(drop_sockets=True)
        await market.timing.wake(RECONNECT_S)
        async with asyncio.timeout(10):
            await is_asked.wait()
        await market.live.subscribe_market("ETH/USDT", joining)
        goes_on.set()
        await first.up()
        await market.until_subscribed([BTC, ETH])
        await market.pass_minutes(1)
        await joining.candles(1)

        assert [health.reconnects for health in market.live.health()] == [1, 0]
    assert joining.outages == []
    assert joining.minutes == [0]
