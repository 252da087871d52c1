"""Simulated candles for all workloads: `python -m tests.bench.market CONTEXT` makes the store."""

import sys

import numpy as np

from data.cache import CandleStore, SeriesKey
from data.simulator.market import SimulatedMarket
from engine.candles import PRICE_COLUMNS, CandleSeries
from tests.bench.measuring import EXCHANGE, START_MS, SYMBOL, Context

_SEED = 1


def key() -> SeriesKey:
    """Return the series that the store holds."""
    return SeriesKey(EXCHANGE, SYMBOL, "1m")


def store(context: Context) -> CandleStore:
    """Return the store."""
    return CandleStore(context.data_dir / "candles")


def load(context: Context) -> CandleSeries:
    """Return all of its candles."""
    return store(context).read(key())


def make(context: Context) -> None:
    """Make the store: prices, volumes and taker deltas as a fetch would bring them."""
    market = SimulatedMarket(_SEED)
    rows = market.candles("BTCUSDT", START_MS, context.candles)
    prices = {name: np.ascontiguousarray(rows[name]) for name in ("timestamp", *PRICE_COLUMNS)}
    delta = 2 * rows["taker_buy_base"] - rows["volume"]
    series = CandleSeries("1m", **prices, volume_delta=delta)
    store(context).write(key(), series, volume_delta_source="taker")


if __name__ == "__main__":
    make(Context.from_json(sys.argv[1]))
