"""Errors of the sandbox; nothing else lives here.

SandboxError
├── DiscordError         what Discord answers a bot over REST: status, code, message, error tree
├── NotOffered           a user tries what Discord's client would not show or allow
├── InvalidInput         a user's input that Discord's client refuses before the bot hears of it
├── InteractionFailed    the user sees "The application did not respond"
└── NeverHappened        a wait ran out; the message says what was seen instead
"""

from typing import Any


class SandboxError(Exception):
    """Base of every error that the sandbox raises on purpose."""


class DiscordError(SandboxError):
    """An error answer of Discord's REST interface.

    `status` is the HTTP status, `code` Discord's own number, `errors` the tree of a 50035.
    """

    def __init__(
        self, status: int, code: int, message: str, *, errors: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{status} (error code: {code}): {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """Return the JSON body as Discord would send it."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


class NotOffered(SandboxError):
    """A user tries what Discord's client would not show or allow."""


class InvalidInput(SandboxError):
    """A user's input that Discord's client refuses before the bot hears of it."""


class InteractionFailed(SandboxError):
    """The bot gave no valid answer in time and the user sees a failure."""


class NeverHappened(SandboxError):
    """A wait ran out; the message says what was seen instead."""


def unauthorized() -> DiscordError:
    """Return the answer to a wrong or missing bot token."""
    return DiscordError(401, 0, "401: Unauthorized")


def not_found() -> DiscordError:
    """Return the answer to an address that Discord doesn't have."""
    return DiscordError(404, 0, "404: Not Found")


def unknown(what: str) -> DiscordError:
    """Return Discord's answer to an id that doesn't exist; `what` is "Channel", "Message", ..."""
    codes = {
        "Application": 10002,
        "Channel": 10003,
        "Guild": 10004,
        "Member": 10007,
        "Message": 10008,
        "Role": 10011,
        "User": 10013,
        "Webhook": 10015,
        "interaction": 10062,
        "application command": 10063,
    }
    return DiscordError(404, codes[what], f"Unknown {what}")


def missing_access() -> DiscordError:
    """Return the answer to a channel or guild that the bot can't see."""
    return DiscordError(403, 50001, "Missing Access")


def missing_permissions() -> DiscordError:
    """Return the answer to an action that the bot's permissions don't allow."""
    return DiscordError(403, 50013, "Missing Permissions")


def empty_message() -> DiscordError:
    """Return the answer to a message with nothing in it."""
    return DiscordError(400, 50006, "Cannot send an empty message")


def request_too_large() -> DiscordError:
    """Return the answer to a file or request over the size limit."""
    return DiscordError(413, 40005, "Request entity too large")


def already_acknowledged() -> DiscordError:
    """Return the answer to a second acknowledgement."""
    return DiscordError(400, 40060, "Interaction has already been acknowledged.")


def invalid_webhook_token() -> DiscordError:
    """Return the answer to a token that is wrong or older than 15 minutes."""
    return DiscordError(401, 50027, "Invalid Webhook Token")
