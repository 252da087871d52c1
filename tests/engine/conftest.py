"""Small made-up candles for engine tests."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from engine.candles import Candle, CandleSeries

MINUTE = 60_000
# A Monday, 00:00 UTC: the start of a day, a week and every shorter timeframe.
MONDAY = 1_704_067_200_000

Quote = tuple[float, float, float, float]


def make_candle(index: int, open_: float, high: float, low: float, close: float) -> Candle:
    return Candle(MONDAY + index * MINUTE, open_, high, low, close, 1.0)


@pytest.fixture
def candles() -> Callable[[Sequence[Quote]], CandleSeries]:
    """Build consecutive minutes from (open, high, low, close), starting on a Monday."""

    def build(quotes: Sequence[Quote], skip: frozenset[int] = frozenset()) -> CandleSeries:
        rows = [make_candle(i, *quote) for i, quote in enumerate(quotes) if i not in skip]
        return CandleSeries.from_candles(rows)

    return build


@pytest.fixture
def walk() -> Callable[..., CandleSeries]:
    """Build a random walk of minutes from a seed; `skip` are the indexes of missing minutes."""

    def build(
        length: int, seed: int = 1, skip: Sequence[int] = (), start: int = MONDAY
    ) -> CandleSeries:
        random = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(random.normal(0, 0.002, length)))
        open_ = np.concatenate(([100.0], close[:-1]))
        spread = 1 + np.abs(random.normal(0, 0.001, length))
        keep = np.setdiff1d(np.arange(length), np.asarray(skip, dtype=int))
        time = start + np.arange(length) * MINUTE
        high, low = np.maximum(open_, close) * spread, np.minimum(open_, close) / spread
        volume = random.uniform(1, 10, length)
        delta = random.uniform(-1, 1, length) * volume
        columns = [time, open_, high, low, close, volume, None, delta]
        return CandleSeries("1m", *(None if c is None else c[keep] for c in columns))

    return build
