import pytest

from bot.services.forward.service import ForwardAsk
from bot.services.forward.session import ForwardConfig
from bot.services.strategies import StrategyLibrary
from data.cache import CandleStore, SeriesKey
from engine.backtest import BacktestData, BacktestRequest, run_backtest

DAY_MS = 86_400_000
STRATEGIES = ("breakout", "ma_crossover", "multi_timeframe", "rsi_reversal")


async def _backtest(settings, test, end):
    """Run the same period through the backtester, on the exchange's own candles."""
    config = ForwardConfig.from_json(test.config)
    candles = CandleStore(settings.candles_dir).read(
        SeriesKey("simulated", test.symbol, "1m"), config.warm_up_from, end
    )
    request = BacktestRequest(
        test.strategy,
        params=test.params,
        start=config.started_at,
        slippage_bps=config.slippage_bps,
    )
    strategy = StrategyLibrary(settings.strategies_dir).load(test.strategy).strategy
    return run_backtest(request, strategy, BacktestData(candles))


@pytest.mark.slow
async def test_on_candles_alone_every_strategy_trades_as_in_the_backtest(
    process, settings, clock, advance
):
    begin = clock.now_ms()
    end = begin // DAY_MS * DAY_MS + 30 * DAY_MS
    async with process() as (service, database):
        for name in STRATEGIES:
            await service.start(ForwardAsk(name, symbol="BTC/USDT", ticks=False))
        for day in range(1, 31):
            await advance(service, begin // DAY_MS * DAY_MS + day * DAY_MS)
        tests = await service.tests()
        await service._history.read(
            "BTC/USDT", ForwardConfig.from_json(tests[0].config).started_at, end
        )
        traded = 0
        for test in tests:
            expected = await _backtest(settings, test, end)
            stored = await database.get_trades(test.id)
            closed = [trade for trade in expected.trades if trade.exit_reason != "end"]
            assert [item.trade for item in stored] == closed
            assert not any(item.recovered for item in stored)
            curve = await database.get_equity_curve(test.id)
            assert curve.time.tolist() == expected.equity.time.tolist()
            # The last mark of a backtest comes after everything is closed.
            assert curve.equity[:-1].tolist() == expected.equity.equity[:-1].tolist()
            traded += len(stored)
    assert traded > 10
