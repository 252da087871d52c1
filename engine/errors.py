"""Errors of the engine; nothing else lives here.

EngineError
├── InvalidCandles      candles that can't be traded on: NaN, high below low, out of order
├── UnknownTimeframe    a timeframe that Jesse doesn't know
├── StrategyError
│   ├── InvalidParams   unknown or out-of-range strategy parameters
│   └── StrategyFailed  the strategy's own code raised; names its file and line
└── InvalidRun          a run that can't be carried out: nothing to trade on, balance not positive
"""


class EngineError(Exception):
    """Base of every error that the engine raises on purpose."""


class InvalidCandles(EngineError):
    """Candles that can't be traded on; the message names the first offender and the count."""


class UnknownTimeframe(EngineError):
    """A timeframe that Jesse doesn't know; the message lists those it does."""


class StrategyError(EngineError):
    """Base of errors that a strategy's author can mend."""


class InvalidParams(StrategyError):
    """Strategy parameters that are unknown, of a wrong type or out of range."""


class StrategyFailed(StrategyError):
    """The strategy's own code raised; the message names its file and line."""


class InvalidRun(EngineError):
    """A run that can't be carried out as asked."""
