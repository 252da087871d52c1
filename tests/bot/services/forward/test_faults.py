"""An exchange that misbehaves while a test trades: no candle is missed, none is seen twice."""

import pytest

from bot.services.forward.service import ForwardAsk
from data.simulator.faults import Gap, GapWhere
from tests.soak.world import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def trade_through(world):
    """Trade three hours, `disturb` the exchange after half an hour; return the stored trades."""

    async def trade(disturb, *, hours=3, are_final=True):
        async with world.process() as (service, database):
            await service.start(ForwardAsk("busy", symbol="BTC/USDT", ticks=False, name="t"))
            await world.until_subscribed(service)
            begun = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
            await world.advance(service, begun + HOUR_MS // 2)
            await disturb(begun + HOUR_MS // 2, service)
            await world.advance(service, begun + hours * HOUR_MS)
            [test] = await service.tests()
            assert str(test.status) == "running"
            [runner] = service.runners()
            if are_final:
                await world.assert_equals_backtest(service, database, test)
            end = begun + hours * HOUR_MS
            candles = await service.candles(test, end)
            steps = [m.time for r in world.watcher.steps for m in r.equity_marks]
            assert steps == candles.close_time.tolist()
            events = [e.kind for e in await database.get_events(test.id, limit=1000)]
            assert runner.down_since is None
            return await database.get_trades(test.id), events

    return trade


@pytest.mark.parametrize("seed", range(3))
async def test_connections_that_drop_again_and_again(world, trade_through, seed):
    async def drop(now, service):
        for number in range(1, 7):
            await world.clock.advance_to(now + number * 10 * MINUTE_MS + seed * 7_000)
            await world.exchange.set_faults(drop_sockets=True)

    _, events = await trade_through(drop)
    assert world.exchange.faults.counters["dropped_sockets"] >= 1
    assert "stream_down" in events


async def test_a_socket_that_is_mute(world, trade_through):
    async def mute(now, service):
        await world.exchange.set_faults(mute=True)
        await world.advance(service, now + 20 * MINUTE_MS)
        await world.exchange.set_faults(mute=False)

    trades, _ = await trade_through(mute)
    assert world.exchange.faults.counters["muted_frames"] > 0
    assert any(item.recovered for item in trades)


@pytest.mark.parametrize("fault", ["too_many_requests", "server_error", "reset", "truncated"])
async def test_a_broken_stream_while_rest_refuses(world, trade_through, fault):
    async def refuse(now, service):
        await world.exchange.set_faults(drop_sockets=True, **{fault: 5})
        await world.clock.advance_to(now + 30 * MINUTE_MS)

    await trade_through(refuse)
    assert world.exchange.faults.counters[fault] == 5


@pytest.mark.parametrize(
    "fault", ["late_closes", "swapped_closes", "duplicate_closes", "revised_closes"]
)
async def test_closing_frames_that_come_wrong(world, trade_through, fault):
    async def disturb(now, service):
        await world.exchange.set_faults(**{fault: 20})

    # What the exchange corrects later was traded on already: nothing can undo that.
    await trade_through(disturb, are_final=fault != "revised_closes")
    assert world.exchange.faults.counters[fault] == 20


async def test_closing_frames_that_come_after_the_next_one(world, trade_through):
    async def disturb(now, service):
        await world.exchange.set_faults(late_closes=10, late_ms=90_000)

    await trade_through(disturb)
    assert world.exchange.faults.counters["late_closes"] == 10


@pytest.mark.parametrize("where", GapWhere)
async def test_candles_that_are_missing(world, trade_through, where):
    async def hide(now, service):
        gap = Gap("BTCUSDT", now + 7 * MINUTE_MS, now + 19 * MINUTE_MS, where)
        await world.exchange.set_faults(gaps=(gap,))

    await trade_through(hide)
    assert world.exchange.faults.counters["hidden_frames"] > 0


async def test_an_outage_of_two_hours(world, trade_through):
    async def vanish(now, service):
        await world.exchange.set_faults(outage_until_ms=now + 2 * HOUR_MS)
        await world.clock.advance_to(now + 2 * HOUR_MS + 1_000)
        await world.advance(service, now + 2 * HOUR_MS + 2 * MINUTE_MS)
        await world.until_subscribed(service)

    trades, events = await trade_through(vanish, hours=5)
    assert {"stream_down", "stream_up"} <= set(events)
    assert sum(item.recovered for item in trades) > 3
    assert not all(item.recovered for item in trades)


@pytest.mark.parametrize("offset_s", [-40, 40, 3600])
async def test_an_exchange_whose_clock_is_wrong(world, trade_through, offset_s):
    async def shift(now, service):
        await world.exchange.set_faults(time_offset_ms=offset_s * 1000, drop_sockets=True)
        await world.clock.advance_to(now + 20 * MINUTE_MS)
        await world.exchange.set_faults(time_offset_ms=0)

    await trade_through(shift)


async def test_the_date_of_this_machine_means_nothing(world, trade_through):
    """Market time in these worlds is 2024, whatever the machine's date is."""

    async def nothing(now, service):
        assert abs(world.clock.now_ms() - now) < HOUR_MS

    await trade_through(nothing)
