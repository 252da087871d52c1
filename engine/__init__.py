"""The trading engine: what a strategy author imports, and nothing that does I/O."""

from pydantic import Field

# While there is but one thread: another one that imports pandas now would get the stand-ins.
from engine import ta_lib as _ta_lib  # noqa: F401
from engine.history import IndicatorView
from engine.portfolio import Portfolio, PortfolioView
from engine.strategy import Strategy, StrategyParams
from engine.types import (
    Candle,
    CandleSeries,
    ExitReason,
    MultiTimeframeData,
    Position,
    Side,
    Signal,
    TimeframeData,
    Trade,
)

__all__ = [
    "Candle",
    "CandleSeries",
    "ExitReason",
    "Field",
    "IndicatorView",
    "MultiTimeframeData",
    "Portfolio",
    "PortfolioView",
    "Position",
    "Side",
    "Signal",
    "Strategy",
    "StrategyParams",
    "TimeframeData",
    "Trade",
]
