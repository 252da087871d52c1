import pytest

from bot.services.scheduled.refresh import (
    KeptSymbols,
    RefreshFailed,
    refresh_candles,
    symbols_in_use,
)
from data.errors import ExchangeUnavailable, StoreError
from data.series_key import SeriesKey
from data.storage.records import ForwardTestStatus, NewForwardTest, NewJob

DAY_MS = 86_400_000
MINUTE_MS = 60_000


async def in_use(settings, database, now=None):
    [last] = await database.list_jobs(1) or [None]
    now = now if now is not None else (last.created_at if last else 0)
    return await symbols_in_use(settings, database, now=now)


def new_test(name, symbol, exchange="simulated", status=ForwardTestStatus.RUNNING):
    return NewForwardTest(
        name=name, strategy="s", params={}, symbol=symbol, exchange=exchange, config={},
        status=status,
    )  # fmt: skip


async def test_series_in_use_are_topped_up_to_now(market, store, cached, market_clock):
    [key] = await cached("BTC/USDT")
    text = await refresh_candles(market, "simulated", ["BTC/USDT"])
    assert text == "2,880 new candles in 1 series"
    assert store.coverage(key).last == market_clock.now_ms() - MINUTE_MS


async def test_what_is_fresh_is_asked_for_in_vain_at_most(market, cached):
    await cached("BTC/USDT")
    await refresh_candles(market, "simulated", ["BTC/USDT"])
    assert await refresh_candles(market, "simulated", ["BTC/USDT"]) == "0 new candles in 1 series"


async def test_series_that_nobody_uses_are_left_alone(market, store, cached):
    btc, eth = await cached("BTC/USDT", "ETH/USDT")
    before = store.coverage(eth)
    await refresh_candles(market, "simulated", ["BTC/USDT"])
    assert store.coverage(eth) == before
    assert store.coverage(btc).last > before.last


async def test_symbols_without_cached_candles_are_not_downloaded(market, store):
    text = await refresh_candles(market, "simulated", ["BTC/USDT"])
    assert "nothing to do" in text
    assert store.series() == []


async def test_series_of_other_exchanges_are_left_alone(market, store, cached):
    [key] = await cached("BTC/USDT")
    other = SeriesKey("binance", "BTC/USDT", "1m")
    store.write(other, store.read(key), volume_delta_source="taker")
    before = store.coverage(other)
    assert "in 1 series" in await refresh_candles(market, "simulated", ["BTC/USDT"])
    assert store.coverage(other) == before


async def test_one_series_that_fails_does_not_keep_the_others_old(
    market, store, cached, monkeypatch
):
    btc, eth = await cached("BTC/USDT", "ETH/USDT")
    before, write = store.coverage(eth).last, store.write

    def write_but_one(key, *args, **kwargs):
        if key == btc:
            raise StoreError("the folder is read-only")
        return write(key, *args, **kwargs)

    monkeypatch.setattr(store, "write", write_but_one)
    with pytest.raises(RefreshFailed, match="in 1 series, but BTC/USDT 1m: the folder is read"):
        await refresh_candles(market, "simulated", ["BTC/USDT", "ETH/USDT"])
    assert store.coverage(eth).last > before


async def test_an_exchange_that_is_gone_is_not_asked_for_each_series(
    market, cached, settings, monkeypatch
):
    await cached("BTC/USDT", "ETH/USDT")
    asked = []

    async def refuse(self, key, **options):
        asked.append(key)
        raise ExchangeUnavailable("no answer")

    monkeypatch.setattr("data.historical.HistoricalDataProvider.top_up", refuse)
    with pytest.raises(ExchangeUnavailable):
        await refresh_candles(market, "simulated", ["BTC/USDT", "ETH/USDT"])
    assert len(asked) == 1


async def test_the_default_symbol_is_always_in_use(settings, database):
    assert await in_use(settings, database) == {"BTC/USDT"}


async def test_symbols_of_living_forward_tests_are_in_use(settings, database):
    await database.create_forward_test(new_test("a", "ETH/USDT"))
    await database.create_forward_test(new_test("b", "SOL/USDT", exchange="bybit"))
    stopped = await database.create_forward_test(new_test("c", "XRP/USDT"))
    await database.set_forward_test_status(stopped.id, ForwardTestStatus.STOPPED)
    assert await in_use(settings, database) == {"BTC/USDT", "ETH/USDT"}


async def test_symbols_of_the_last_month_s_jobs_are_in_use(settings, database):
    for number, symbol in enumerate(("ethusdt", None, "SOL-USDT")):
        request = {"strategy": "s", "symbol": symbol}
        job = NewJob(id=f"job{number}", kind="backtest", request=request)
        await database.add_job(job)
    assert await in_use(settings, database) == {"BTC/USDT", "ETH/USDT", "SOL/USDT"}
    [last] = await database.list_jobs(1)
    late = last.created_at + 31 * DAY_MS
    assert await in_use(settings, database, now=late) == {"BTC/USDT"}


async def test_kept_symbols_are_in_use_until_they_are_let_go(settings, database):
    kept = KeptSymbols(database, "simulated")
    assert await kept.set("doge-usdt", is_kept=True) == "DOGE/USDT"
    await KeptSymbols(database, "bybit").set("ADA/USDT", is_kept=True)
    assert await kept.all() == ("DOGE/USDT",)
    assert await in_use(settings, database) == {"BTC/USDT", "DOGE/USDT"}
    await kept.set("DOGE/USDT", is_kept=False)
    assert await in_use(settings, database) == {"BTC/USDT"}
