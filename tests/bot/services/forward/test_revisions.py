"""A close that the exchange corrects later: what was traded stays, the report names the cause."""

import pytest

from bot.services.forward.parity import Cause
from bot.services.forward.service import ForwardAsk
from tests.soak.world import MINUTE_MS, open_world

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, speed_up=20.0) as opened:
        yield opened


async def test_the_report_puts_differences_down_to_candles_that_were_revised(world, comparison_of):
    async with world.process() as (service, database):
        await service.start(ForwardAsk("busy", symbol="BTC/USDT", ticks=False, name="t"))
        await world.until_subscribed(service)
        begun = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
        await world.advance(service, begun + HOUR_MS // 2)
        await world.exchange.set_faults(revised_closes=15)
        for quarter in range(3, 13):
            await world.advance(service, begun + quarter * HOUR_MS // 4)
        [test] = await service.tests()
        await told_of(world, database, test, 15)
        comparison = await comparison_of(world, database, test)
        stored = await database.get_trades(test.id)

    causes = {pair.cause for pair in comparison.report.pairs}
    assert Cause.REVISED in causes
    assert causes <= {Cause.NONE, Cause.REVISED, Cause.FOLLOWS, Cause.OPEN}
    minutes = [(close - begun) // MINUTE_MS for close in comparison.report.revised]
    assert minutes == list(range(31, 46))
    live = [pair.live for pair in comparison.report.pairs if pair.live]
    assert live == [item.trade for item in stored]


async def told_of(world, database, test, count):
    """Let time pass until the exchange was asked again what it had told before."""
    for _ in range(200):
        if len(await database.get_events(test.id, kind="candle_revised")) >= count:
            return
        await world.clock.advance_to(world.clock.now_ms() + 1)
        await world.timing.sleep(1.0)
    raise AssertionError("no revision was found")
