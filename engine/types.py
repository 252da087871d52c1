"""The engine's vocabulary in one place; each record is defined beside those it belongs to."""

from engine.candles import Candle, CandleSeries, Gap
from engine.frames import MultiTimeframeData, TimeframeData
from engine.orders import (
    Event,
    ExitReason,
    FundingPaid,
    Position,
    PositionClosed,
    PositionOpened,
    Side,
    Signal,
    SignalAction,
    SignalRejected,
    Trade,
)

__all__ = [
    "Candle",
    "CandleSeries",
    "Event",
    "ExitReason",
    "FundingPaid",
    "Gap",
    "MultiTimeframeData",
    "Position",
    "PositionClosed",
    "PositionOpened",
    "Side",
    "Signal",
    "SignalAction",
    "SignalRejected",
    "TimeframeData",
    "Trade",
]
