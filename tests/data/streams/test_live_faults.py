"""Every fault an exchange can show: no candle is missed, none comes twice, all come in order."""

from dataclasses import replace

import pytest

from data.simulator.faults import Gap, GapWhere
from data.streams.events import AlertKind, StreamDown, StreamUp
from engine.timeframe import MINUTE_MS

FIRST = 1_735_741_800_000
GAP_GRACE_S, RECONNECT_S, REFETCH_S, CHECK_S, CONFIRM_S = 0.25, 1.5, 2.5, 7.0, 11.0


def at(minute):
    return FIRST + minute * MINUTE_MS


async def test_candles_come_as_they_close_and_equal_those_of_rest(market, listener):
    await market.pass_minutes(5)

    candles = await listener.candles(5)
    assert candles == await market.rest_candles(0, 5)
    assert listener.backfilled == []
    assert all(candle.volume_delta is not None for candle in candles)
    (health,) = market.live.health()
    assert (health.symbol, health.is_connected, health.listeners) == ("BTC/USDT", True, 1)
    assert (health.last_candle_open, health.last_frame_age_s) == (at(4), 0.0)


async def test_a_drop_in_the_middle_of_a_minute_loses_nothing(market, listener):
    await market.pass_minutes(2)
    await listener.candles(2)
    await market.exchange.set_faults(drop_sockets=True)
    await listener.down()
    await market.pass_minutes(3)
    await market.timing.wake(RECONNECT_S)
    await listener.up()
    await listener.candles(5)
    await market.until_subscribed(["btcusdt@kline_1m"])
    await market.pass_minutes(2)

    assert await listener.candles(7) == await market.rest_candles(0, 7)
    assert listener.backfilled == [2, 3, 4]
    assert isinstance(listener.outages[0], StreamDown)
    assert listener.outages[1] == StreamUp("BTC/USDT", at(2), at(5))
    (health,) = market.live.health()
    assert (health.reconnects, health.backfilled, health.duplicates) == (1, 3, 0)


async def test_an_outage_of_two_hours_is_filled_when_it_ends(market, listener):
    await market.pass_minutes(1)
    await listener.candles(1)
    end = market.clock.now_ms() + 120 * MINUTE_MS
    await market.exchange.set_faults(outage_until_ms=end)
    await listener.down()
    for attempt in range(5):
        await market.timing.wake(RECONNECT_S * 2**attempt)
    await market.timing.asleep(RECONNECT_S * 2**5)
    await market.clock.advance_to(end)
    await market.timing.wake(RECONNECT_S * 2**5)
    await listener.up()
    await listener.candles(121)
    await market.until_subscribed(["btcusdt@kline_1m"])
    await market.pass_minutes(1)

    assert await listener.candles(122) == await market.rest_candles(0, 122)
    assert listener.backfilled == list(range(1, 121))
    assert [alert.kind for alert in market.alerts] == [
        AlertKind.UNREACHABLE,
        AlertKind.RECOVERED,
    ]
    assert market.alerts[0].attempts == 3
    assert market.alerts[0].symbols == ("BTC/USDT",)
    assert sum(isinstance(event, StreamDown) for event in listener.outages) == 1


async def test_rest_that_fails_while_a_gap_is_filled_is_asked_again(market, listener):
    market.exchange.faults.set(gaps=(Gap("BTCUSDT", at(1), at(1), GapWhere.STREAM),))
    market.exchange.faults.set(server_error=1, rest_path="/fapi/v1/klines")
    await market.pass_minutes(3)
    await market.timing.wake(GAP_GRACE_S)
    await market.timing.wake(REFETCH_S)

    assert await listener.candles(3) == await market.rest_candles(0, 3)
    assert market.exchange.faults.counters["server_error"] == 1


async def test_a_mute_socket_is_found_out_and_replaced(market, listener):
    await market.pass_minutes(1)
    await listener.candles(1)
    market.exchange.faults.set(mute=True)
    await market.pass_minutes(2)
    await market.timing.advance(130.0)  # pongs come, and no candle
    await listener.candles(3)
    await listener.down()
    market.exchange.faults.set(mute=False)
    await listener.up()  # at once: the connection was a long-lived one
    await market.until_subscribed(["btcusdt@kline_1m"])
    await market.pass_minutes(2)

    assert await listener.candles(5) == await market.rest_candles(0, 5)
    assert listener.backfilled == [1, 2]
    assert "no candle frame of BTC/USDT since" in listener.outages[0].reason


async def test_a_socket_on_which_nothing_comes_is_replaced(open_market, recorder, test_policy):
    policy = replace(test_policy, dead_after_s=60.0)
    async with open_market(policy) as market:
        listener = recorder()
        await market.live.subscribe_market("BTC/USDT", listener)
        await market.until_subscribed(["btcusdt@kline_1m"])
        await market.pass_minutes(1)
        await listener.candles(1)
        # both the ping and the verdict fall into one check: no pong can have come
        await market.timing.advance(61.0)
        await listener.down()

    assert "nothing came for 61 s, not even a pong" in listener.outages[0].reason


async def test_a_late_close_waits_in_no_one_s_way(market, listener):
    market.exchange.faults.set(late_closes=1, late_ms=70_000)
    await market.pass_minutes(3)
    await market.timing.wake(GAP_GRACE_S)

    assert await listener.candles(3) == await market.rest_candles(0, 3)
    assert listener.minutes == [0, 1, 2]


async def test_a_late_close_is_not_needed_any_more_once_rest_had_it(market, listener):
    market.exchange.faults.set(late_closes=1, late_ms=70_000)
    await market.clock.advance_to(at(1) + 10_000)
    await market.timing.advance(45.0)
    await listener.candles(1)
    await market.clock.advance_to(at(4) + 2_000)
    candles = await listener.candles(4)

    assert candles == await market.rest_candles(0, 4)
    assert listener.backfilled == [0]
    (health,) = market.live.health()
    assert (health.duplicates, health.revisions) == (1, 0)


async def test_swapped_closes_change_places_again(market, listener):
    market.exchange.faults.set(swapped_closes=1)
    await market.pass_minutes(4)

    assert await listener.candles(4) == await market.rest_candles(0, 4)
    assert listener.backfilled == []


async def test_a_close_that_comes_twice_counts_once(market, listener):
    market.exchange.faults.set(duplicate_closes=2)
    await market.pass_minutes(4)

    assert await listener.candles(4) == await market.rest_candles(0, 4)
    (health,) = market.live.health()
    assert (health.duplicates, health.revisions) == (2, 0)


async def test_a_revision_is_told_and_not_delivered_again(market, listener):
    market.exchange.faults.set(revised_closes=1)
    await market.pass_minutes(1)
    (first,) = await listener.candles(1)
    await market.exchange.set_faults(drop_sockets=True)
    await listener.down()
    await market.pass_minutes(1)
    await market.timing.wake(RECONNECT_S)
    await listener.candles(2)
    (true, second) = await market.rest_candles(0, 2)

    assert [event.candle for event in listener.arrived] == [first, second]
    (health,) = market.live.health()
    assert health.revisions == 1
    [told] = listener.revisions
    assert (told.symbol, told.revision.delivered) == ("BTC/USDT", first)
    assert told.revision.revised == true
    assert health.last_revision.volume_change == pytest.approx(true.volume - first.volume)
    assert health.last_revision.volume_change > 0


async def test_a_revision_that_no_stream_tells_is_found_within_the_hour(market, listener, recorder):
    market.exchange.faults.set(revised_closes=1)
    await market.pass_minutes(1)
    await listener.candles(1)
    late = recorder()
    await market.live.subscribe_market("BTC/USDT", late)
    await market.pass_minutes(60)
    await listener.candles(61)
    await market.timing.wake(CHECK_S)
    await listener.until(lambda: listener.revisions)
    (true,) = await market.rest_candles(0, 1)

    [told] = listener.revisions
    assert told.revision.delivered == listener.arrived[0].candle
    assert told.revision.revised == true
    assert listener.minutes == list(range(61))  # nothing is told again
    assert late.revisions == []  # it never saw that candle
    asked = market.exchange.faults.counters["GET /fapi/v1/klines"]
    await market.pass_minutes(3)
    await market.timing.wake(CHECK_S)
    await market.timing.asleep(CHECK_S)
    assert market.exchange.faults.counters["GET /fapi/v1/klines"] == asked


async def test_a_recheck_that_fails_costs_nothing(market, listener):
    await market.pass_minutes(61)
    await listener.candles(61)
    market.exchange.faults.set(server_error=1, rest_path="/fapi/v1/klines")
    await market.timing.wake(CHECK_S)
    await market.pass_minutes(1)

    assert len(await listener.candles(62)) == 62
    assert listener.revisions == listener.failures == []


async def test_a_listener_that_fails_on_a_revision_is_dropped(market, listener):
    market.exchange.faults.set(revised_closes=1)
    listener.on_revision = lambda event: 1 / 0
    await market.pass_minutes(61)
    await listener.candles(61)
    await market.timing.wake(CHECK_S)
    await listener.until(lambda: listener.failures)

    assert market.live.health() == ()


async def test_candles_that_the_stream_alone_lacks_come_over_rest(market, listener):
    market.exchange.faults.set(gaps=(Gap("BTCUSDT", at(1), at(3), GapWhere.STREAM),))
    await market.pass_minutes(6)
    await market.timing.wake(GAP_GRACE_S)

    assert await listener.candles(6) == await market.rest_candles(0, 6)
    assert listener.backfilled == [1, 2, 3]


async def test_candles_that_exist_nowhere_are_passed_over(market, listener):
    market.exchange.faults.set(gaps=(Gap("BTCUSDT", at(1), at(2)),))
    await market.pass_minutes(5)
    await market.timing.wake(GAP_GRACE_S)
    candles = await listener.candles(3)

    assert candles == await market.rest_candles(0, 5)
    assert listener.minutes == [0, 3, 4]
    (health,) = market.live.health()
    assert health.missing == 2


async def test_a_missing_candle_that_rest_cannot_confirm_is_given_up_in_the_end(market, listener):
    market.exchange.faults.set(gaps=(Gap("BTCUSDT", at(0), at(0), GapWhere.STREAM),))
    # the server's clock lags so far that REST shows neither the gap nor what is behind it
    market.exchange.faults.set(time_offset_ms=-10 * MINUTE_MS)
    await market.pass_minutes(2)
    await market.timing.wake(GAP_GRACE_S)
    await market.timing.wake(CONFIRM_S)
    await market.timing.wake(CONFIRM_S)
    await listener.candles(1)

    assert listener.minutes == [1]


async def test_the_machine_s_clock_and_pace_do_not_matter(market, listener):
    await market.timing.advance(3_000_000.0)  # a month on the machine, half a minute at market
    await market.pass_minutes(2)

    assert await listener.candles(2) == await market.rest_candles(0, 2)
    assert listener.arrived[0].received_ms - at(1) < 2_000


async def test_everything_at_once_is_put_right(open_market, recorder):
    async with open_market(kline_updates=True, update_ms=5_000) as market:
        listener = recorder()
        await market.live.subscribe_market("BTC/USDT", listener)
        await market.until_subscribed(["btcusdt@kline_1m"])
        market.exchange.faults.set(
            duplicate_closes=3,
            late_closes=3,
            late_ms=65_000,
            swapped_closes=3,
            gaps=(
                Gap("BTCUSDT", at(20), at(22), GapWhere.STREAM),
                Gap("BTCUSDT", at(25), at(26)),
            ),
        )
        await market.pass_minutes(12)
        await market.timing.wake(GAP_GRACE_S)
        await listener.candles(11)
        await market.exchange.set_faults(drop_sockets=True)
        await listener.down()
        await market.pass_minutes(3)
        await market.timing.wake(RECONNECT_S)
        await listener.up()
        await listener.candles(15)
        await market.until_subscribed(["btcusdt@kline_1m"])
        await market.pass_minutes(25)
        await market.timing.wake(GAP_GRACE_S)
        candles = await listener.candles(38)

        assert candles == await market.rest_candles(0, 40)
        assert market.live.health()[0].missing == 2
