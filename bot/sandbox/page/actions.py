"""What the user of the page does, carried out by `UserDriver` as a test would do it.

A request's body is JSON from a browser and is not trusted: InvalidInput tells what is wrong.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.sandbox.answers import Answer
from bot.sandbox.driver import UserDriver, find_channel
from bot.sandbox.errors import DiscordError, InvalidInput, NotOffered
from bot.sandbox.models import Payload, UploadedFile
from bot.sandbox.permissions import Permission
from bot.sandbox.rest import guess_type
from bot.sandbox.server import SandboxDiscord
from bot.sandbox.views import SeenMessage, see_message, see_modal

DIRECT = "dm"

Action = Callable[[SandboxDiscord, UserDriver, Payload], Awaitable[Payload]]


def stand(sandbox: SandboxDiscord, users: tuple[str, ...], user: Any, channel: Any) -> UserDriver:
    """Return one of the page's users in a channel, by its id or "dm".

    Raises NotOffered if the page doesn't have the user or the user doesn't see the channel.
    """
    if user not in users:
        raise NotOffered(f"the page has the users {list(users)}, not {user!r}")
    driver = sandbox.user(user)
    if channel == DIRECT:
        return driver.at_dm()
    number = int(channel) if str(channel).isdecimal() else 0
    found = find_channel(sandbox.state, number)
    if not sandbox.state.permissions_in(found, driver.user.id) & Permission.VIEW_CHANNEL:
        raise NotOffered(f"{user} can't see this channel")
    return driver.at(number)


async def slash(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Invoke a command; return the interaction's id."""
    options = {name: _given(value) for name, value in _mapping(body, "options").items()}
    return _opened(await driver.slash(_text(body, "command"), **options))


async def suggest(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Return what the bot suggests for the option being typed."""
    given = {name: _given(value) for name, value in _mapping(body, "options").items()}
    found = await driver.autocomplete(
        _text(body, "command"),
        option=_text(body, "option"),
        typed=_text(body, "typed"),
        given=given,
    )
    return {"choices": [{"name": choice.name, "value": choice.value} for choice in found]}


async def click(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Press a button; return the interaction's id."""
    message = _message(sandbox, body)
    return _opened(await driver.click(message, _text(body, "control")))


async def select(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Choose in a menu; return the interaction's id."""
    values = body.get("values")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidInput("values must be a list of texts")
    message = _message(sandbox, body)
    return _opened(await driver.select(message, _text(body, "control"), values))


async def submit(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Send a modal; return the interaction's id."""
    modal = see_modal(sandbox.desk.get(_number(body, "interaction")))
    if modal is None:
        raise NotOffered("this interaction opened no form")
    values = {name: str(value) for name, value in _mapping(body, "values").items()}
    return _opened(await driver.submit_modal(modal, values))


async def send(sandbox: SandboxDiscord, driver: UserDriver, body: Payload) -> Payload:
    """Write a message; return its id."""
    try:
        return {"message": str((await driver.send(_text(body, "text"))).id)}
    except DiscordError as error:
        raise InvalidInput(error.message) from error


def actions() -> dict[str, Action]:
    """Return what a user can do, by the name in the address."""
    return {
        "slash": slash,
        "suggest": suggest,
        "click": click,
        "select": select,
        "submit": submit,
        "send": send,
    }


def _opened(answer: Answer) -> Payload:
    return {"interaction": str(answer.interaction_id)}


def _message(sandbox: SandboxDiscord, body: Payload) -> SeenMessage:
    message = sandbox.state.messages.get(_number(body, "message"))
    if message is None:
        raise NotOffered("this message is gone")
    return see_message(sandbox.state, message)


def _text(body: Payload, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise InvalidInput(f"{key!r} must be a text, not {type(value).__name__}")
    return value


def _number(body: Payload, key: str) -> int:
    text = _text(body, key)
    if not text.isdecimal():
        raise InvalidInput(f"{key!r} must be an id, not {text!r}")
    return int(text)


def _mapping(body: Payload, key: str) -> Mapping[str, Any]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise InvalidInput(f"{key!r} must be an object, not {type(value).__name__}")
    return value


def _given(value: Any) -> Any:
    """Return an option's value; ids and files come as objects, the rest as JSON's own types."""
    if not isinstance(value, dict):
        return value
    if "id" in value:
        return _number(value, "id")
    try:
        data = base64.b64decode(_text(value, "base64"), validate=True)
    except binascii.Error as error:
        raise InvalidInput("the file did not arrive whole") from error
    filename = _text(value, "filename")
    return UploadedFile(filename, data, guess_type(filename))
