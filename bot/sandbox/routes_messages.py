"""REST routes of channel messages: send, edit, delete, read, pin, typing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from aiohttp import web

from bot.sandbox import errors, rules
from bot.sandbox.clock import iso
from bot.sandbox.composing import Upload, compose, revise
from bot.sandbox.errors import DiscordError
from bot.sandbox.events import Change, ChangeKind
from bot.sandbox.models import Channel, Message, MessageFlag, Payload
from bot.sandbox.payloads_messages import message_payload
from bot.sandbox.permissions import Permission
from bot.sandbox.rest import API, SERVICES, answer, no_content, number, read_json, read_upload
from bot.sandbox.state import State

REPLY_TYPE = 19
NONCE_REMEMBERED_S = 300.0
BULK_DELETE_MAX_AGE_S = 14 * 86_400.0
_PINS = 250


def message_routes() -> Iterator[web.RouteDef]:
    """Yield the routes; the more special addresses come first."""
    channel = f"{API}/channels/{{channel_id}}"
    yield web.post(f"{channel}/typing", typing)
    yield web.get(f"{channel}/messages", list_messages)
    yield web.post(f"{channel}/messages", create_message)
    yield web.post(f"{channel}/messages/bulk-delete", delete_messages)
    for pins in (f"{channel}/messages/pins", f"{channel}/pins"):
        yield web.get(pins, list_pins)
        yield web.put(f"{pins}/{{message_id}}", pin)
        yield web.delete(f"{pins}/{{message_id}}", unpin)
    yield web.get(f"{channel}/messages/{{message_id}}", get_message)
    yield web.patch(f"{channel}/messages/{{message_id}}", edit_message)
    yield web.delete(f"{channel}/messages/{{message_id}}", delete_message)


async def typing(request: web.Request) -> web.Response:
    """Show that the bot is typing."""
    state = request.app[SERVICES].state
    channel = _channel(request)
    _require_send(state, channel, Upload({}))
    change = Change(ChangeKind.TYPING, channel_id=channel.id, user_id=state.bot.id)
    state.log.publish(replace(change, guild_id=channel.guild_id))
    return no_content()


async def create_message(request: web.Request) -> web.Response:
    """Send a message; with enforce_nonce a repeated nonce returns the first message."""
    state = request.app[SERVICES].state
    upload = await read_upload(request)
    channel = _channel(request)
    _require_send(state, channel, upload)
    earlier = _same_nonce(state, channel, upload.payload)
    if earlier is not None:
        return answer(message_payload(state, earlier))
    message = compose(state, upload, channel_id=channel.id, author=state.bot)
    # An ephemeral message exists only as the answer to an interaction.
    message = replace(message, flags=message.flags & ~MessageFlag.EPHEMERAL)
    reference = upload.payload.get("message_reference")
    if isinstance(reference, dict) and reference.get("message_id"):
        original = _referenced(state, channel, int(reference["message_id"]), reference)
        message = replace(message, type=REPLY_TYPE, reference_id=original)
    return answer(message_payload(state, state.add_message(message)))


async def edit_message(request: web.Request) -> web.Response:
    """Edit one of the bot's own messages."""
    state = request.app[SERVICES].state
    upload = await read_upload(request)
    channel = _channel(request)
    state.require(channel)
    message = _public_message(request)
    if message.author.id != state.bot.id:
        raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
    edited = state.replace_message(revise(state, message, upload))
    return answer(message_payload(state, edited))


async def delete_message(request: web.Request) -> web.Response:
    """Delete a message; other people's need the right to manage messages."""
    state = request.app[SERVICES].state
    channel = _channel(request)
    state.require(channel)
    message = _public_message(request)
    if message.author.id != state.bot.id:
        state.require(channel, Permission.MANAGE_MESSAGES)
    state.remove_message(message)
    return no_content()


async def delete_messages(request: web.Request) -> web.Response:
    """Delete 2 to 100 messages that are not older than two weeks."""
    state = request.app[SERVICES].state
    channel = _channel(request)
    state.require(channel, Permission.MANAGE_MESSAGES)
    ids = [int(i) for i in (await read_json(request)).get("messages", [])]
    if not 2 <= len(ids) <= 100:
        text = "Must be between 2 and 100 in length."
        raise rules.invalid_form([rules.Issue(("messages",), "BASE_TYPE_BAD_LENGTH", text)])
    messages = [m for m in state.messages_in(channel.id) if m.id in ids]
    oldest = state.clock.now() - BULK_DELETE_MAX_AGE_S
    if any(message.created_at < oldest for message in messages):
        text = "You can only bulk delete messages that are under 14 days old."
        raise DiscordError(400, 50034, text)
    for message in messages:
        state.remove_message(message)
    return no_content()


async def get_message(request: web.Request) -> web.Response:
    """Return one message."""
    state = request.app[SERVICES].state
    state.require(_channel(request), Permission.READ_MESSAGE_HISTORY)
    return answer(message_payload(state, _public_message(request)))


async def list_messages(request: web.Request) -> web.Response:
    """List up to `limit` messages, newest first; empty without the right to read history."""
    state = request.app[SERVICES].state
    channel = _channel(request)
    state.require(channel)
    if not state.permissions_in(channel, state.bot.id) & Permission.READ_MESSAGE_HISTORY:
        return answer([])
    messages = [m for m in state.messages_in(channel.id) if not m.ephemeral]
    chosen = _page(sorted(messages, key=lambda m: m.id), request.query)
    return answer([message_payload(state, message) for message in chosen])


async def list_pins(request: web.Request) -> web.Response:
    """List the pinned messages, in the form that the address asks for."""
    state = request.app[SERVICES].state
    channel = _channel(request)
    state.require(channel)
    pinned = [m for m in state.messages_in(channel.id) if m.pinned]
    payloads = [message_payload(state, message) for message in reversed(pinned)]
    if not request.path.endswith("/messages/pins"):
        return answer(payloads)
    pinned_at = iso(state.clock.now())
    items = [{"pinned_at": pinned_at, "message": payload} for payload in payloads]
    return answer({"items": items, "has_more": False})


async def pin(request: web.Request) -> web.Response:
    """Pin a message."""
    return _set_pinned(request, pinned=True)


async def unpin(request: web.Request) -> web.Response:
    """Unpin a message."""
    return _set_pinned(request, pinned=False)


def _set_pinned(request: web.Request, *, pinned: bool) -> web.Response:
    state = request.app[SERVICES].state
    channel = _channel(request)
    state.require(channel)
    either = Permission.MANAGE_MESSAGES | Permission.PIN_MESSAGES
    if channel.guild_id is not None and not state.permissions_in(channel, state.bot.id) & either:
        raise errors.missing_permissions()
    message = _public_message(request)
    others = sum(1 for m in state.messages_in(channel.id) if m.pinned and m.id != message.id)
    if pinned and others >= _PINS:
        raise DiscordError(400, 30003, f"Maximum number of pins reached ({_PINS})")
    state.replace_message(replace(message, pinned=pinned))
    kind = ChangeKind.PINS_CHANGED
    state.log.publish(Change(kind, channel_id=channel.id, guild_id=channel.guild_id))
    return no_content()


def _page(messages: list[Message], query: Mapping[str, str]) -> list[Message]:
    limit = int(query.get("limit", "50"))
    if not 1 <= limit <= 100:
        text = "int value should be between 1 and 100."
        raise rules.invalid_form([rules.Issue(("limit",), "NUMBER_TYPE_MAX", text)])
    if "after" in query:
        chosen = [m for m in messages if m.id > int(query["after"])][:limit]
    elif "around" in query:
        before = [m for m in messages if m.id < int(query["around"])][-(limit // 2) :]
        chosen = before + [m for m in messages if m.id >= int(query["around"])]
        chosen = chosen[:limit]
    else:
        last = int(query.get("before", str(2**63)))
        chosen = [m for m in messages if m.id < last][-limit:]
    return chosen[::-1]


def _channel(request: web.Request) -> Channel:
    return request.app[SERVICES].state.channel(number(request, "channel_id"))


def _public_message(request: web.Request) -> Message:
    state = request.app[SERVICES].state
    channel_id = number(request, "channel_id")
    message = state.message(number(request, "message_id"), channel_id=channel_id)
    if message.ephemeral:
        raise errors.unknown("Message")
    return message


def _require_send(state: State, channel: Channel, upload: Upload) -> None:
    send = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    needed = [send]
    if upload.payload.get("embeds"):
        needed.append(Permission.EMBED_LINKS)
    if upload.files:
        needed.append(Permission.ATTACH_FILES)
    state.require(channel, *needed)
    if channel.archived and channel.locked:
        raise DiscordError(400, 50083, "Thread is archived")


def _same_nonce(state: State, channel: Channel, payload: Payload) -> Message | None:
    nonce = payload.get("nonce")
    if nonce is None or not payload.get("enforce_nonce"):
        return None
    since = state.clock.now() - NONCE_REMEMBERED_S
    for message in state.messages_in(channel.id):
        own = message.author.id == state.bot.id
        if own and message.nonce == str(nonce) and message.created_at >= since:
            return message
    return None


def _referenced(state: State, channel: Channel, message_id: int, reference: Payload) -> int | None:
    found = state.messages.get(message_id)
    if found is not None and found.channel_id == channel.id:
        return message_id
    if reference.get("fail_if_not_exists", True):
        issue = rules.Issue(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        raise rules.invalid_form([issue])
    return None
