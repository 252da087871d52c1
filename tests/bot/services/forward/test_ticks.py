"""With ticks: the backtest's trades; prices apart by what the tape moved, and by nothing else."""

import math

import pytest

from bot.services.forward.service import ForwardAsk
from bot.services.forward.ticks import HeldTicks
from data.streams.events import Tick
from engine.orders import ExitReason, Side
from tests.soak.world import MINUTE_MS, open_world

SLIPPAGE = 1e-4
LATEST_CLOSING_FRAME_MS = 1_000
HOURS = 16


def minute_of(time):
    return -(-time // MINUTE_MS)


class Tape:
    """The simulator's own trades."""

    def __init__(self, market):
        self._market = market
        self._scale = market.spec("BTCUSDT").price_scale

    def ticks(self, minute_ms):
        ticks = self._market.ticks("BTCUSDT", minute_ms)
        return [
            (time, price / self._scale)
            for time, price in zip(ticks.time_ms.tolist(), ticks.price.tolist(), strict=True)
        ]

    def candle(self, minute_ms):
        return self._market.candles("BTCUSDT", minute_ms, 1)[0]

    def prices_at_close(self, close_ms):
        """What a market order may meet that is sent when the closing frame comes."""
        after = self.ticks(close_ms)
        moved = [p for time, p in after if time <= close_ms + LATEST_CLOSING_FRAME_MS]
        return [float(self.candle(close_ms - MINUTE_MS)["close"]), *moved]


def without_slippage(price, *, buying):
    return price / (1 + SLIPPAGE if buying else 1 - SLIPPAGE)


def is_among(price, prices):
    return any(math.isclose(price, other, rel_tol=1e-12) for other in prices)


def check_exit(tape, trade, other):
    """Check a fill against the tape."""
    buying = trade.side is Side.SHORT
    sign = trade.side.sign
    if trade.exit_reason is ExitReason.TAKE_PROFIT:
        # Only a candle that opens beyond its target fills better, at that open.
        assert trade.exit_price == trade.take_profit
        assert sign * (other.exit_price - trade.exit_price) >= 0
        return
    price = without_slippage(trade.exit_price, buying=buying)
    if trade.exit_reason is ExitReason.SIGNAL:
        assert is_among(price, tape.prices_at_close(trade.exit_time))
        return
    ticks = tape.ticks(trade.exit_time // MINUTE_MS * MINUTE_MS)
    beyond = [(t, p) for t, p in ticks if sign * (p - trade.stop_loss) <= 0]
    assert trade.exit_time == beyond[0][0]
    assert is_among(price, [beyond[0][1]])


@pytest.mark.slow
async def test_with_ticks_trades_differ_from_the_backtest_by_the_tape_alone(tmp_path):
    async with open_world(tmp_path) as world, world.process() as (service, database):
        start = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        await service.start(ForwardAsk("busy", symbol="BTC/USDT"))
        await world.until_subscribed(service)
        # An hour at a time: the market doesn't run ahead of what the test can follow.
        for hour in range(1, HOURS + 1):
            await world.advance(service, start + hour * 60 * MINUTE_MS)
        [test] = await service.tests()
        stored = [item.trade for item in await database.get_trades(test.id)]
        curve = await database.get_equity_curve(test.id)
        results = await world.backtest(service, test, int(curve.time[-1]))
        expected = [trade for trade in results.trades if trade.exit_reason != "end"]
        tape = Tape(world.exchange.market)
    assert len(stored) == len(expected) > 40
    overshoots = 0
    for trade, other in zip(stored, expected, strict=True):
        assert (trade.side, trade.entry_time) == (other.side, other.entry_time)
        buying = trade.side is Side.LONG
        entry = without_slippage(trade.entry_price, buying=buying)
        assert is_among(entry, tape.prices_at_close(trade.entry_time))
        if other.ambiguous:
            continue  # only ticks know which level came first
        assert trade.exit_reason == other.exit_reason
        at_open = trade.exit_time % MINUTE_MS == 0 and trade.exit_reason != ExitReason.SIGNAL
        assert minute_of(trade.exit_time) + at_open == minute_of(other.exit_time)
        check_exit(tape, trade, other)
        overshoots += trade.exit_price != other.exit_price
    assert overshoots > 10


def tick(second, price):
    return Tick("BTC/USDT", price, 1.0, second * 1000, "buy")


def test_of_held_ticks_only_new_extremes_and_the_newest_are_kept():
    held = HeldTicks()
    for second, price in ((60, 10.0), (61, 10.5), (62, 10.2), (63, 9.0), (64, 10.1), (65, 10.3)):
        held.hold(tick(second, price))
    released = held.release(60_000)
    assert [t.price for t in released] == [10.0, 10.5, 9.0, 10.3]
    assert held.release(60_000) == []


def test_held_ticks_of_later_minutes_stay_and_earlier_ones_are_forgotten():
    held = HeldTicks()
    for second, price in ((60, 10.0), (120, 11.0), (130, 11.0), (180, 12.0)):
        held.hold(tick(second, price))
    assert [t.price for t in held.release(120_000)] == [11.0]
    assert [t.time_ms for t in held.release(180_000)] == [180_000]
    assert not held
