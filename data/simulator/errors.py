"""The errors of the simulated exchange.

SimulatorError
├── UnknownSymbolError     the exchange lists no such symbol
├── UnknownIntervalError   the exchange offers no candles of that length
├── MarketTimeError        a time before the listing, not on a candle's open, or going backwards
├── FaultRequestError      a fault was asked for that does not exist, or with a wrong value
└── ApiError               an answer of the exchange that is an error: HTTP status, code, message

Nothing else lives here.
"""


class SimulatorError(Exception):
    """Stand above every error of the simulated exchange."""


class UnknownSymbolError(SimulatorError):
    """Report a symbol that the simulated exchange does not list."""


class UnknownIntervalError(SimulatorError):
    """Report a candle length that the simulated exchange does not offer."""


class MarketTimeError(SimulatorError):
    """Report a market time that makes no sense where it was given."""


class FaultRequestError(SimulatorError):
    """Report a fault that does not exist or has a wrong value."""


class ApiError(SimulatorError):
    """Carry an error answer in the form that Binance gives it."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
