"""Errors of market data; nothing else lives here. Each message says what was found and what to do.

    DataError
    ├── InvalidImport           a file that can't be imported: names the file, the row and the rule
    ├── StoreError              the candle store can't be read or written: disk full, no permission
    ├── NoCandles               nothing in the cache for what was asked
    └── ExchangeError
        ├── UnknownExchange     an exchange that Jesse doesn't speak
        ├── UnknownSymbol       a symbol that the exchange doesn't list; names the nearest
        ├── MissingCredentials  API_KEY or API_SECRET is needed and not set
        ├── UnsupportedRequest  something this exchange doesn't offer
        └── ExchangeUnavailable no usable answer after all retries: network, 429, 5xx, timeouts
"""


class DataError(Exception):
    """Base of every error that the data package raises on purpose."""


class InvalidImport(DataError):
    """A file that can't be imported."""


class StoreError(DataError):
    """The candle store can't be read or written."""


class NoCandles(DataError):
    """Nothing in the cache for what was asked."""


class ExchangeError(DataError):
    """Base of what goes wrong with an exchange."""


class UnknownExchange(ExchangeError):
    """An exchange that Jesse doesn't speak."""


class UnknownSymbol(ExchangeError):
    """A symbol that the exchange doesn't list."""


class MissingCredentials(ExchangeError):
    """API_KEY or API_SECRET is needed and not set."""


class UnsupportedRequest(ExchangeError):
    """Something this exchange doesn't offer."""


class ExchangeUnavailable(ExchangeError):
    """No usable answer after all retries."""
