"""Errors of the bot package; each message is shown to a user as it is.

BotError
├── InvalidSettings     the environment or .env is wrong; names the setting and what it takes
├── InvalidInput        an option or argument is wrong; names it and what it takes
│   └── UnknownStrategy no strategy of that name; names the nearest
├── BrokenStrategy      a strategy file that can't be loaded; names file and line
├── NotAllowed          the user may not do this; says who may
└── JobCancelled        the work was cancelled before it ended
"""


class BotError(Exception):
    """Base of every error that the bot raises on purpose."""


class InvalidSettings(BotError):
    """The environment or `.env` is wrong."""


class InvalidInput(BotError):
    """An option or argument is wrong."""


class UnknownStrategy(InvalidInput):
    """There is no strategy of that name."""


class BrokenStrategy(BotError):
    """A strategy file can't be loaded."""


class NotAllowed(BotError):
    """The user may not do this."""


class JobCancelled(BotError):
    """The work was cancelled before it ended."""
