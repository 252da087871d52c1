"""A frame whose time is far ahead of the exchange's is left out: nothing may wait for that time."""

import logging

import pytest

from data.simulator.faults import Gap, GapWhere
from data.venues.base_stream import BUY, StreamCandle, StreamTrade
from data.venues.binance_stream import BinanceStream, simulated_stream
from engine.candles import Candle

NOW = 1_735_741_830_250
FIRST = 1_735_741_800_000
MINUTE = 60_000
HOUR = 60 * MINUTE
GAP_GRACE_S, TIME_ASKED_EVERY_S = 0.25, 60.0
FAR = FIRST + 400 * 24 * HOUR


class ForgingVenue(BinanceStream):
    """The simulated exchange's streams, into which a test puts messages."""

    def __init__(self):
        super().__init__(simulated_stream().facts)
        object.__setattr__(self, "forged", [])

    def parse(self, text):
        forged = self.forged[:]
        self.forged.clear()
        return [*forged, *super().parse(text)]


def trade_at(time_ms):
    return StreamTrade("BTCUSDT", 100.0, 1.0, time_ms, BUY)


def candle_at(open_time, *, event_ms):
    candle = Candle(open_time, 100.0, 101.0, 99.0, 100.0, 1.0)
    return StreamCandle("BTCUSDT", candle, is_closed=True, event_ms=event_ms)


@pytest.mark.parametrize(
    "message",
    [
        trade_at(FAR),
        trade_at(NOW + HOUR + 2 * MINUTE),
        candle_at(FAR, event_ms=None),
        candle_at(FAR, event_ms=FAR + MINUTE),
        candle_at(FIRST, event_ms=FAR),
    ],
)
async def test_what_comes_after_a_time_to_come_is_told_as_ever(
    open_market, recorder, caplog, message
):
    caplog.set_level(logging.WARNING)
    venue, listener = ForgingVenue(), recorder()
    async with open_market(venue=venue) as market:
        await market.live.subscribe_market("BTC/USDT", listener, ticks=True)
        await market.until_subscribed(["btcusdt@aggTrade", "btcusdt@kline_1m"])
        venue.forged.extend([message, message])
        await market.pass_minutes(3)

        candles = await listener.candles(3)
        await listener.until(lambda: listener.ticks[-1].time_ms > FIRST + 3 * MINUTE)
        [health] = market.live.health()

    assert [candle.timestamp for candle in candles] == [FIRST + n * MINUTE for n in range(3)]
    assert (health.held, health.missing) == (0, 0)
    assert health.unreadable_frames == 2
    assert max(tick.time_ms for tick in listener.ticks) < FIRST + 5 * MINUTE
    told = [record for record in caplog.records if "ahead" in record.message]
    assert len(told) == 1


async def test_a_market_that_went_on_unheard_for_hours_is_followed_again(market, listener):
    market.exchange.faults.set(
        gaps=(Gap("BTCUSDT", FIRST + MINUTE, FIRST + 130 * MINUTE, GapWhere.STREAM),)
    )
    await market.pass_minutes(132)  # none of them on this machine's clock
    await listener.candles(1)
    await market.timing.asleep(TIME_ASKED_EVERY_S)  # it was asked
    await market.pass_minutes(1)
    await market.timing.wake(GAP_GRACE_S)

    assert await listener.candles(133) == await market.rest_candles(0, 133)
