"""On candles alone a forward test trades as the backtest does, to the last bit."""

import pytest

from bot.services.forward.service import ForwardAsk
from tests.soak.world import DAY_MS, MINUTE_MS, open_world, shipped_and_busy

STRATEGIES = ("busy", "breakout", "ma_crossover", "multi_timeframe", "rsi_reversal")


@pytest.mark.slow
async def test_on_candles_alone_every_strategy_trades_as_in_the_backtest(tmp_path):
    async with (
        open_world(tmp_path, strategies=shipped_and_busy(tmp_path)) as world,
        world.process() as (service, database),
    ):
        midnight = world.clock.now_ms() // DAY_MS * DAY_MS
        for name in STRATEGIES:
            await service.start(ForwardAsk(name, symbol="BTC/USDT", ticks=False))
        await world.until_subscribed(service)
        for day in range(1, 5):
            await world.advance(service, midnight + day * DAY_MS + 30 * MINUTE_MS)
        tests = await service.tests()
        traded = [await world.assert_equals_backtest(service, database, test) for test in tests]
        funding = [
            event for test in tests for event in await database.get_events(test.id, limit=10_000)
        ]
    assert sum(traded) > 300
    assert sum(event.kind == "funding_paid" for event in funding) > 5
