"""Candles around trades come from the running engine, else from the store; never from outside."""

from types import SimpleNamespace

import numpy as np
import pytest

from bot.charts.errors import NothingToDraw
from bot.services.forward.trade_pictures import TradeSketch
from bot.services.forward.traded_candles import TradedCandles
from data.cache import CandleStore, SeriesKey
from data.database import Database
from data.errors import NoCandles
from data.storage.records import NewForwardTest, OutboxMessage
from engine.candles import CandleSeries
from engine.engine import Engine, EngineConfig
from engine.execution import FixedCosts, PaperExecutor
from engine.orders import ExitReason, Side, Trade
from engine.strategy import Strategy

BEGIN = 1_704_067_200_000
MINUTE_MS = 60_000


class Idle(Strategy):
    """Never trades."""

    timeframes = ("1m",)

    def on_candle(self, data, portfolio):
        return []


def candles(first, count, price=100.0):
    flat = np.full(count, price)
    time = BEGIN + MINUTE_MS * (first + np.arange(count))
    return CandleSeries("1m", time, flat, flat + 1, flat - 1, flat, np.ones(count))


@pytest.fixture
def store(tmp_path):
    kept = CandleStore(tmp_path / "candles")
    key = SeriesKey("simulated", "BTC/USDT", "1m")
    kept.write(key, candles(0, 60), volume_delta_source=None)
    return kept


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
async def stored_test(database):
    return await database.create_forward_test(
        NewForwardTest(
            name="one", strategy="idle", params={}, symbol="BTC/USDT", exchange="simulated",
            config={},
        )
    )  # fmt: skip


def runner_of(history, live):
    engine = Engine(Idle(), EngineConfig(10_000.0), PaperExecutor(FixedCosts(0.0, 0.0)))
    engine.warm_up(history)
    engine.start()
    engine.advance(live)
    return SimpleNamespace(session=SimpleNamespace(engine=engine))


async def test_a_running_test_knows_the_newest(store, stored_test):
    runner = runner_of(candles(0, 60), candles(60, 30, price=200.0))
    traded = TradedCandles(store, {stored_test.id: runner}.get)

    found = await traded.read(stored_test, BEGIN + 50 * MINUTE_MS, BEGIN + 80 * MINUTE_MS)

    assert found.timestamp.tolist() == candles(50, 30).timestamp.tolist()
    assert found.close.tolist() == [100.0] * 10 + [200.0] * 20


async def test_where_it_does_not_reach_back_and_where_none_runs_the_store_is_asked(
    store, stored_test
):
    late = runner_of(candles(40, 20), candles(60, 5))
    for find in ({stored_test.id: late}.get, lambda test_id: None):
        found = await TradedCandles(store, find).read(
            stored_test, BEGIN + 30 * MINUTE_MS, BEGIN + 90 * MINUTE_MS
        )
        assert found.timestamp.tolist() == candles(30, 30).timestamp.tolist()


async def test_what_nobody_has_is_said(store, stored_test):
    traded = TradedCandles(store, lambda test_id: None)

    with pytest.raises(NoCandles):
        await traded.read(stored_test, BEGIN + 500 * MINUTE_MS, BEGIN + 600 * MINUTE_MS)


def alert(test_id, trade_id=1):
    return OutboxMessage(
        id=9, dedupe_key="k", kind="trade_close", test_id=test_id, channel="channel",
        payload={"id": trade_id}, created_at=0, attempts=0, next_attempt_at=0, sent_at=None,
        abandoned_at=None, last_error=None,
    )  # fmt: skip


async def test_the_figure_of_an_alert_is_made_from_what_is_stored(store, database, stored_test):
    trade = Trade(
        1, Side.LONG, BEGIN + 30 * MINUTE_MS, 100.0, BEGIN + 50 * MINUTE_MS, 101.0, 1.0, 100.0,
        0.9, 0.9, 0.1, ExitReason.SIGNAL,
    )  # fmt: skip
    await database.save_trade(stored_test.id, trade)
    sketch = TradeSketch(database, TradedCandles(store, lambda test_id: None))

    figure = await sketch(alert(stored_test.id))

    assert '"candlestick"' in figure
    assert "+$0.90" in figure or "+$0.9" in figure


@pytest.mark.parametrize(("test_id", "trade_id"), [(1, 77), (88, 1), (None, 1)])
async def test_an_alert_of_a_trade_that_is_not_stored_has_no_figure(
    store, database, stored_test, test_id, trade_id
):
    sketch = TradeSketch(database, TradedCandles(store, lambda test_id: None))

    with pytest.raises(NothingToDraw, match="not stored"):
        await sketch(alert(test_id, trade_id))
