"""What names a stored series, and what is told of it without reading it. No I/O."""

import re
from dataclasses import dataclass
from typing import Final, Self

from data.errors import StoreError
from engine.candles import Gap
from engine.timeframe import TIMEFRAMES, get_timeframe_ms

_UNFIT: Final = re.compile(r"[\x00-\x1f\\]|^\.|^_")


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One series of candles: an exchange, a symbol as the exchange layer spells it, a timeframe.

    Raises:
        StoreError: exchange or symbol can't be the name of a folder.
        UnknownTimeframe: the timeframe isn't one that candles have.
    """

    exchange: str
    symbol: str
    timeframe: str

    def __post_init__(self) -> None:
        get_timeframe_ms(self.timeframe)
        for what, text in (("exchange", self.exchange), ("symbol", self.symbol)):
            if not text.strip() or _UNFIT.search(text):
                raise StoreError(f"{what} {text!r} can't name a folder: use a form like BTC/USDT")
        if "/" in self.exchange:
            raise StoreError(
                f"exchange {self.exchange!r} can't name a folder: use one like binance"
            )

    @property
    def folder(self) -> str:
        """The folder's name, e.g. BTC_USDT_1m.parquet; some spellings of a symbol share one."""
        return f"{re.sub('[/:]', '_', self.symbol)}_{self.timeframe}.parquet"

    @classmethod
    def from_folder(cls, exchange: str, folder: str) -> Self | None:
        """Return the likeliest key of a folder, None if the name isn't one of a series."""
        name, _, timeframe = folder.removesuffix(".parquet").rpartition("_")
        if not name or timeframe not in TIMEFRAMES or name.startswith("."):
            return None
        symbol = name.replace("_", "/", 1).replace("_", ":", 1)
        return cls(exchange, symbol, timeframe)

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} of {self.exchange}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of a series: open times of the first and last candle (ms), count, holes.

    `volume_delta_source` is taker, approximated, mixed, or None where no candle has one.
    """

    first: int
    last: int
    candles: int
    gaps: tuple[Gap, ...]
    volume_delta_source: str | None
