"""Errors of market data; nothing else lives here. Each message says what was found and what to do.

DataError
├── InvalidImport           a file that can't be imported: names the file, the row and the rule
├── StoreError              a store can't be read or written: disk full, no permission
│   ├── DatabaseInUse       another process works with the database
│   ├── DatabaseLocked      another program keeps the database from being written, for too long
│   ├── DatabaseFull        no space left; what was being written is undone
│   ├── DatabaseNotWritable no permission, or a disk that is mounted read-only
│   ├── DatabaseCorrupted   a damaged file; says where it was put and how to go on from a backup
│   ├── DatabaseMismatch    a file of a newer Jesse, of an older one, or of another program
│   ├── RecordConflict      contradicts what is stored: a name taken, a step out of order
│   ├── UnknownRecord       refers to something that isn't stored
│   ├── UnstorableValue     a value that no column or JSON text can hold; names it
│   └── DatabaseMisused     used before it is open, after it was closed, or nested
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
    """A store (candles, database) can't be read or written."""


class DatabaseInUse(StoreError):
    """Another process works with the database."""


class DatabaseLocked(StoreError):
    """Another program keeps the database from being written, for too long."""


class DatabaseFull(StoreError):
    """No space left; what was being written is undone."""


class DatabaseNotWritable(StoreError):
    """No permission, or a disk that is mounted read-only."""


class DatabaseCorrupted(StoreError):
    """The database file is damaged."""


class DatabaseMismatch(StoreError):
    """A database of a newer Jesse, of an older one, or of another program."""


class RecordConflict(StoreError):
    """What is to be stored contradicts what is stored."""


class UnknownRecord(StoreError):
    """What is to be stored or changed refers to something that isn't stored."""


class UnstorableValue(StoreError):
    """A value that no column or JSON text can hold."""


class DatabaseMisused(StoreError):
    """The database is used before it is open, after it was closed, or nested."""


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
