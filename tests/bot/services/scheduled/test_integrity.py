import numpy as np
import pytest

from bot.services.scheduled.integrity import StoreDamaged, check_candles, examine_store
from data.errors import ExchangeUnavailable
from data.series_key import SeriesKey
from engine.candles import CandleSeries

DAY_MS = 86_400_000


def without(series: CandleSeries, first: int, stop: int) -> CandleSeries:
    keep = np.ones(len(series), dtype=bool)
    keep[first:stop] = False
    columns = {
        name: getattr(series, name)[keep]
        for name in ("timestamp", "open", "high", "low", "close", "volume")
    }
    return CandleSeries(**columns, timeframe=series.timeframe)


async def holed(store, cached, exchange="simulated"):
    """Store a day of candles with an hour missing."""
    [key] = await cached("BTC/USDT")
    series = store.read(key)
    other = SeriesKey(exchange, "ETH/USDT", "1m")
    store.write(other, without(series, 600, 660), volume_delta_source=None)
    return other


async def test_a_store_without_holes_is_said_to_be_whole(market, settings, cached):
    await cached("BTC/USDT", "ETH/USDT")
    text = await check_candles(market, settings.candles_dir, "simulated")
    assert text == "2 series read, none lacks a candle"


async def test_an_empty_store_is_whole(market, settings):
    text = await check_candles(market, settings.candles_dir, "simulated")
    assert text == "0 series read, none lacks a candle"


async def test_missing_candles_are_counted_and_fetched_again(market, settings, store, cached):
    key = await holed(store, cached)
    text = await check_candles(market, settings.candles_dir, "simulated")
    assert text == "2 series read, 60 candles missing in 1 of them, 60 of them fetched again"
    assert store.coverage(key).gaps == ()


async def test_holes_of_other_exchanges_are_counted_only(market, settings, store, cached):
    key = await holed(store, cached, exchange="bybit")
    text = await check_candles(market, settings.candles_dir, "simulated")
    assert text == "2 series read, 60 candles missing in 1 of them"
    assert len(store.coverage(key).gaps) == 1


async def test_an_exchange_that_is_gone_leaves_the_findings(
    market, settings, store, cached, monkeypatch
):
    await holed(store, cached)

    async def refuse(self, *args, **options):
        raise ExchangeUnavailable("no answer")

    monkeypatch.setattr("data.historical.HistoricalDataProvider.complete", refuse)
    text = await check_candles(market, settings.candles_dir, "simulated")
    assert text.endswith("60 candles missing in 1 of them, not fetched: no answer")


async def test_a_damaged_file_is_told_and_its_candles_are_fetched_again(market, settings, store):
    key = SeriesKey("simulated", "BTC/USDT", "1m")
    new_year = 1_704_067_200_000
    async with market.provider() as provider:
        await provider.complete(key, new_year - 32 * DAY_MS, new_year + DAY_MS)
    before = store.read(key)
    [damaged] = settings.candles_dir.rglob("2023-12*")
    damaged.write_bytes(damaged.read_bytes()[:200])

    with pytest.raises(StoreDamaged, match=r"44,640 of them fetched again; .*2023-12"):
        await check_candles(market, settings.candles_dir, "simulated")

    assert np.array_equal(store.read(key).close, before.close)
    assert examine_store(settings.candles_dir).damage == ()
