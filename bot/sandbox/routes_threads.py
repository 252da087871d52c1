"""REST routes of threads: start, change, list, join and leave."""

from collections.abc import Iterator
from dataclasses import replace

from aiohttp import web

from bot.sandbox import rules
from bot.sandbox.errors import DiscordError
from bot.sandbox.models import (
    THREAD_TYPES,
    Channel,
    ChannelType,
    Message,
    MessageFlag,
    Payload,
)
from bot.sandbox.payloads import channel_payload
from bot.sandbox.permissions import Permission
from bot.sandbox.rest import API, SERVICES, answer, no_content, number, read_json
from bot.sandbox.state import State

THREAD_CREATED_TYPE = 18
_ARCHIVE_MINUTES = (60, 1440, 4320, 10080)


def thread_routes() -> Iterator[web.RouteDef]:
    """Yield the routes."""
    channel = f"{API}/channels/{{channel_id}}"
    yield web.post(f"{channel}/messages/{{message_id}}/threads", start_from_message)
    yield web.post(f"{channel}/threads", start)
    yield web.get(f"{channel}/threads/archived/public", list_archived)
    yield web.get(f"{API}/guilds/{{guild_id}}/threads/active", list_active)
    yield web.patch(channel, edit_channel)
    for who in ("@me", "{user_id}"):
        yield web.put(f"{channel}/thread-members/{who}", change_membership)
        yield web.delete(f"{channel}/thread-members/{who}", change_membership)


async def start_from_message(request: web.Request) -> web.Response:
    """Start a public thread at a message; it takes the message's id."""
    state = request.app[SERVICES].state
    parent = state.channel(number(request, "channel_id"))
    state.require(parent, Permission.CREATE_PUBLIC_THREADS)
    message = state.message(number(request, "message_id"), channel_id=parent.id)
    if message.thread_id is not None:
        text = "A thread has already been created for this message"
        raise DiscordError(400, 160004, text)
    thread = _made(state, parent, await read_json(request), thread_id=message.id)
    state.add_channel(thread)
    flags = message.flags | MessageFlag.HAS_THREAD
    state.replace_message(replace(message, flags=flags, thread_id=thread.id))
    return answer(channel_payload(state, thread), status=201)


async def start(request: web.Request) -> web.Response:
    """Start a thread without a message; private unless the type says otherwise."""
    state = request.app[SERVICES].state
    parent = state.channel(number(request, "channel_id"))
    body = await read_json(request)
    kind = ChannelType(body.get("type", ChannelType.PRIVATE_THREAD))
    public = kind is ChannelType.PUBLIC_THREAD
    needed = Permission.CREATE_PUBLIC_THREADS if public else Permission.CREATE_PRIVATE_THREADS
    state.require(parent, needed)
    thread = _made(state, parent, body, thread_id=state.next_id(), kind=kind)
    state.add_channel(thread)
    if public:
        _announce(state, parent, thread)
    return answer(channel_payload(state, thread), status=201)


async def edit_channel(request: web.Request) -> web.Response:
    """Change a channel's or thread's name, topic, archiving or lock."""
    state = request.app[SERVICES].state
    channel = state.channel(number(request, "channel_id"))
    state.require(channel)
    body = await read_json(request)
    if not channel.is_thread:
        state.require(channel, Permission.MANAGE_CHANNELS)
    elif channel.owner_id != state.bot.id or "locked" in body:
        state.require(channel, Permission.MANAGE_THREADS)
    rules.require_valid(_check_name(body) if "name" in body else [])
    edited = replace(
        channel,
        name=body.get("name", channel.name),
        topic=body.get("topic", channel.topic),
        archived=bool(body.get("archived", channel.archived)),
        locked=bool(body.get("locked", channel.locked)),
        auto_archive_minutes=body.get("auto_archive_duration", channel.auto_archive_minutes),
    )
    return answer(channel_payload(state, state.replace_channel(edited)))


async def list_active(request: web.Request) -> web.Response:
    """List a guild's threads that are not archived."""
    state = request.app[SERVICES].state
    guild = state.guild(number(request, "guild_id"))
    threads = state.guild_channels(guild.id, threads=True)
    found = [channel_payload(state, thread) for thread in threads if not thread.archived]
    return answer({"threads": found, "members": []})


async def list_archived(request: web.Request) -> web.Response:
    """List a channel's archived public threads."""
    state = request.app[SERVICES].state
    parent = state.channel(number(request, "channel_id"))
    state.require(parent, Permission.READ_MESSAGE_HISTORY)
    threads = [c for c in state.channels.values() if c.parent_id == parent.id and c.archived]
    found = [channel_payload(state, thread) for thread in threads]
    return answer({"threads": found, "members": [], "has_more": False})


async def change_membership(request: web.Request) -> web.Response:
    """Let somebody join or leave a thread; the sandbox shows threads to all either way."""
    state = request.app[SERVICES].state
    thread = state.channel(number(request, "channel_id"))
    state.require(thread)
    if thread.type not in THREAD_TYPES:
        raise DiscordError(400, 50024, "Cannot execute action on this channel type")
    return no_content()


def _made(
    state: State,
    parent: Channel,
    body: Payload,
    *,
    thread_id: int,
    kind: ChannelType = ChannelType.PUBLIC_THREAD,
) -> Channel:
    if parent.type is not ChannelType.TEXT:
        raise DiscordError(400, 50024, "Cannot execute action on this channel type")
    minutes = body.get("auto_archive_duration") or _ARCHIVE_MINUTES[1]
    issues = _check_name(body)
    if minutes not in _ARCHIVE_MINUTES:
        text = f"Value must be one of {_ARCHIVE_MINUTES}."
        issues.append(rules.Issue(("auto_archive_duration",), "BASE_TYPE_CHOICES", text))
    rules.require_valid(issues)
    return Channel(
        id=thread_id,
        type=kind,
        name=body["name"],
        guild_id=parent.guild_id,
        parent_id=parent.id,
        owner_id=state.bot.id,
        auto_archive_minutes=minutes,
        created_at=state.clock.now(),
    )


def _check_name(body: Payload) -> list[rules.Issue]:
    return rules.check_text(body.get("name"), ("name",), longest=100, shortest=1)


def _announce(state: State, parent: Channel, thread: Channel) -> None:
    notice = Message(
        id=state.next_id(),
        channel_id=parent.id,
        author=state.bot,
        created_at=state.clock.now(),
        content=thread.name,
        type=THREAD_CREATED_TYPE,
        flags=MessageFlag.HAS_THREAD,
        thread_id=thread.id,
    )
    state.add_message(notice)
