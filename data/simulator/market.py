"""The simulated market: candles, trades, open interest and funding of any symbol at any time.

Everything is a pure function of seed, symbol and time, computed where it is asked for and
cached in blocks of one day. What has happened yet is the clock's matter, not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.simulator.errors import MarketTimeError, UnknownSymbolError
from data.simulator.intervals import HOUR_MS, interval_ms, join_candles, open_time_of
from data.simulator.noise import Floats, Integers, Noise
from data.simulator.path import (
    CANDLE_UNITS,
    DAY_MS,
    ERA_DAYS,
    MINUTE_MS,
    CandleUnits,
    Era,
    day_minutes,
    era_levels,
)
from data.simulator.symbols import SymbolSpec, listed_symbols
from data.simulator.ticks import TickColumns, minute_ticks

LISTED_AT_MS = 1_567_296_000_000  # 2019-09-01
FUNDING_MS = 8 * HOUR_MS
OPEN_INTEREST_MS = 5 * MINUTE_MS

CANDLE = np.dtype(
    [("timestamp", np.int64)]
    + [(name, np.float64) for name in ("open", "high", "low", "close", "volume", "quote_volume")]
    + [("trades", np.int64), ("taker_buy_base", np.float64)]
)


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """Hold open interest in whole quantity units at each time."""

    timestamp: Integers
    open_interest: Integers


@dataclass(frozen=True, slots=True)
class Funding:
    """Hold funding rates (fractions) and the price (price units) at each funding time."""

    timestamp: Integers
    rate: Floats
    mark_price: Integers


class SimulatedMarket:
    """Compute a deterministic market from a seed.

    Symbols outside the exchange's list raise UnknownSymbolError; times before `listed_at` or
    not on a whole minute raise MarketTimeError.
    """

    def __init__(self, seed: int, listed_at: int = LISTED_AT_MS) -> None:
        if listed_at % MINUTE_MS:
            raise MarketTimeError(f"listed_at {listed_at} is not a whole minute in ms")
        self.seed = seed
        self.listed_at = listed_at
        self._specs = {spec.symbol: spec for spec in listed_symbols()}
        self._noises = {symbol: Noise(seed, symbol) for symbol in self._specs}
        self._era: Callable[[str, int], Era] = lru_cache(maxsize=256)(self._make_era)
        self._day: Callable[[str, int], CandleUnits] = lru_cache(maxsize=192)(self._make_day)
        self._hours: Callable[[str, int], CandleUnits] = lru_cache(maxsize=8192)(self._make_hours)
        self._ticks: Callable[[str, int], TickColumns] = lru_cache(maxsize=512)(self._make_ticks)

    @property
    def symbols(self) -> tuple[SymbolSpec, ...]:
        """Return every listed contract."""
        return tuple(self._specs.values())

    def spec(self, symbol: str) -> SymbolSpec:
        """Return the contract of that name."""
        if symbol not in self._specs:
            raise UnknownSymbolError(f"no symbol {symbol!r}; listed: {' '.join(self._specs)}")
        return self._specs[symbol]

    def candles(self, symbol: str, first_open_time_ms: int, count: int) -> NDArray[np.void]:
        """Return `count` 1m candles as a structured array with the fields of `CANDLE`.

        Prices are USDT, volumes coins, `quote_volume` USDT.
        """
        spec = self.spec(symbol)
        end = first_open_time_ms + count * MINUTE_MS
        self._check_start(first_open_time_ms)
        table = np.empty(count, CANDLE)
        filled = 0
        for block in self._day_slices(symbol, first_open_time_ms, end):
            _write_floats(table[filled : filled + len(block)], block, spec)
            filled += len(block)
        return table

    def minutes(self, symbol: str, start_ms: int, end_ms: int) -> CandleUnits:
        """Return the 1m candles with start <= open time < end, in whole units."""
        self.spec(symbol)
        start = max(start_ms, self.listed_at)
        blocks = self._day_slices(symbol, start, end_ms)
        return np.concatenate(blocks) if blocks else np.empty(0, CANDLE_UNITS)

    def bars(self, symbol: str, interval: str, first_open_time_ms: int, count: int) -> CandleUnits:
        """Return candles of any length in whole units; the first one starts at its listing."""
        length = interval_ms(interval)
        end = first_open_time_ms + count * length
        if length == MINUTE_MS:
            return self.minutes(symbol, first_open_time_ms, end)
        if length < HOUR_MS:
            return join_candles(self.minutes(symbol, first_open_time_ms, end), length)
        return join_candles(self.hours(symbol, first_open_time_ms, end), length)

    def hours(self, symbol: str, start_ms: int, end_ms: int) -> CandleUnits:
        """Return the 1h candles with start <= open time < end, in whole units."""
        self.spec(symbol)
        start = max(start_ms, open_time_of(self.listed_at, HOUR_MS))
        if end_ms <= start:
            return np.empty(0, CANDLE_UNITS)
        days = range(start // DAY_MS, (end_ms - 1) // DAY_MS + 1)
        hours = np.concatenate([self._hours(symbol, day) for day in days])
        first, last = np.searchsorted(hours["timestamp"], (start, end_ms))
        return hours[first:last]

    def ticks(self, symbol: str, open_time_ms: int) -> TickColumns:
        """Return the aggregated trades of one minute; they add up to its candle."""
        self.spec(symbol)
        self._check_start(open_time_ms)
        return self._ticks(symbol, open_time_ms)

    def open_interest(self, symbol: str, first_ms: int, count: int) -> OpenInterest:
        """Return open interest at `count` five-minute steps from `first_ms` on."""
        spec = self.spec(symbol)
        times = first_ms + np.arange(count, dtype=np.int64) * OPEN_INTEREST_MS
        noise, steps = self._noises[symbol], times / OPEN_INTEREST_MS
        log_level = (
            0.22 * noise.lattice("interest-month", steps / (288.0 * 25.0))
            + 0.07 * noise.lattice("interest-day", steps / 288.0)
            + 0.012 * noise.lattice("interest-hour", steps / 12.0)
            + 0.001 * noise.lattice("interest-step", steps)
        )
        typical = spec.minute_volume_usd * 900.0 / spec.base_price * spec.quantity_scale
        return OpenInterest(times, np.rint(typical * np.exp(log_level)).astype(np.int64))

    def funding(self, symbol: str, first_ms: int, count: int) -> Funding:
        """Return the funding rates of `count` eight-hour steps from `first_ms` on."""
        self.spec(symbol)
        index = np.arange(count, dtype=np.float64) + first_ms // FUNDING_MS
        noise = self._noises[symbol]
        swing = 1.1 * noise.lattice("funding-week", index / 21.0)
        swing += 0.6 * noise.lattice("funding-day", index / 3.0)
        rate: Floats = np.round(np.clip(0.00008 + 0.00011 * swing, -0.003, 0.003), 8).astype(
            np.float64
        )
        times = index.astype(np.int64) * FUNDING_MS
        marks = [self.minutes(symbol, int(t), int(t) + MINUTE_MS)["open"] for t in times]
        return Funding(times, rate, np.concatenate([*marks, np.empty(0, np.int64)]))

    def _check_start(self, time_ms: int) -> None:
        if time_ms % MINUTE_MS:
            raise MarketTimeError(f"{time_ms} is not the open time of a minute")
        if time_ms < self.listed_at:
            raise MarketTimeError(f"{time_ms} is before the listing at {self.listed_at}")

    def _day_slices(self, symbol: str, start_ms: int, end_ms: int) -> list[CandleUnits]:
        if end_ms <= start_ms:
            return []
        slices = []
        for day in range(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1):
            midnight = day * DAY_MS
            first = max(0, -((midnight - start_ms) // MINUTE_MS))
            last = min(1440, -((midnight - end_ms) // MINUTE_MS))
            slices.append(self._day(symbol, day)[first:last])
        return slices

    def _make_era(self, symbol: str, era: int) -> Era:
        return era_levels(self._noises[symbol], self._specs[symbol], era)

    def _make_day(self, symbol: str, day: int) -> CandleUnits:
        era = self._era(symbol, day // ERA_DAYS)
        candles = day_minutes(self._noises[symbol], self._specs[symbol], era, day)
        candles.flags.writeable = False
        return candles

    def _make_hours(self, symbol: str, day: int) -> CandleUnits:
        minutes = self.minutes(symbol, day * DAY_MS, (day + 1) * DAY_MS)
        return join_candles(minutes, HOUR_MS)

    def _make_ticks(self, symbol: str, open_time_ms: int) -> TickColumns:
        candle = self.minutes(symbol, open_time_ms, open_time_ms + MINUTE_MS)[0]
        return minute_ticks(self._noises[symbol], self._specs[symbol], candle)


def _write_floats(table: NDArray[np.void], block: CandleUnits, spec: SymbolSpec) -> None:
    table["timestamp"] = block["timestamp"]
    table["trades"] = block["trades"]
    # dividing by a power of ten gives the float nearest to the decimal text
    for name in ("open", "high", "low", "close"):
        table[name] = block[name] / spec.price_scale
    for name in ("volume", "taker_buy_base"):
        table[name] = block[name] / spec.quantity_scale
    table["quote_volume"] = block["quote_volume"] / (spec.price_scale * spec.quantity_scale)
