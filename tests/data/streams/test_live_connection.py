"""How long a connection waits before it tries again, and which task deaths are told."""

import asyncio

from data.streams.connection import StreamConnection
from data.streams.exchange_time import ExchangeTime
from data.streams.tasks import TaskOwner
from data.venues.base import MarketKind
from data.venues.binance_stream import simulated_stream

RECONNECT_S = 1.5


async def test_a_connection_that_breaks_again_and_again_is_not_reopened_at_once(market, listener):
    for repeats in range(3):
        await market.exchange.set_faults(drop_sockets=True)
        await listener.down(repeats + 1)
        await market.timing.wake(RECONNECT_S * 2**repeats)
        await listener.up(repeats + 1)
        await market.until_subscribed(["btcusdt@kline_1m"])
    await market.timing.advance(3600.0)
    await market.exchange.set_faults(drop_sockets=True)
    await listener.up(4)  # after a long life at once

    assert market.live.health()[0].reconnects == 4
    assert market.alerts == []


async def test_the_death_of_a_task_is_logged_and_told(caplog):
    owner, told = TaskOwner(), []

    async def die():
        raise RuntimeError("never thought of")

    await owner.spawn("counting sheep", die(), told.append)

    assert [str(error) for error in told] == ["never thought of"]
    assert "counting sheep died" in caplog.text


async def test_cancelled_tasks_are_waited_for_and_told_to_nobody():
    owner, told, ended = TaskOwner(), [], []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    for _ in range(3):
        owner.spawn("waiting", wait(), told.append)
    await asyncio.sleep(0)
    await owner.cancel_all()

    assert (told, ended) == ([], [True] * 3)


def test_the_exchange_s_time_is_carried_on_by_a_monotonic_clock():
    passed = [50.0]
    time = ExchangeTime(lambda: passed[0])
    time.observe(1_000_000)
    passed[0] += 2.5
    assert time.now_ms() == 1_002_500
    time.observe(1_000_400)
    assert time.now_ms() == 1_000_400


async def test_a_connection_that_is_not_open_can_neither_be_given_up_nor_pinged(
    stepped_timing, test_policy
):
    told = []

    class Owner:
        def __getattr__(self, name):
            return lambda *arguments: told.append((name, *arguments))

    connection = StreamConnection(
        simulated_stream(),
        MarketKind.PERPETUAL,
        "ws://127.0.0.1:1",
        Owner(),
        timing=stepped_timing.timing(),
        policy=test_policy,
    )
    connection.add(["btcusdt@kline_1m"])
    connection.replace("mute")
    await connection.ping()
    running = asyncio.create_task(connection.run())
    await stepped_timing.asleep(RECONNECT_S)  # the first attempt has failed, like any other
    running.cancel()
    await asyncio.wait([running])

    assert [name for name, *_ in told] == ["on_down"]
    assert "mute" not in told[0][1]
    assert (connection.is_up, connection.heard_at) == (False, float("-inf"))
