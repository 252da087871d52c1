"""REST routes of the account, the gateway's address, guilds, channels, and the file server."""

import base64
from collections.abc import Iterator

from aiohttp import web

from bot.sandbox import errors
from bot.sandbox.models import Channel
from bot.sandbox.payloads import (
    channel_payload,
    full_member_payload,
    guild_payload,
    role_payload,
    user_payload,
)
from bot.sandbox.permissions import Permission
from bot.sandbox.rest import API, SERVICES, answer, number, read_json
from bot.sandbox.state import State

# One transparent pixel, for the avatars that the sandbox doesn't have.
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


def guild_routes() -> Iterator[web.RouteDef]:
    """Yield the routes."""
    yield web.get(f"{API}/users/@me", get_me)
    yield web.get(f"{API}/users/@me/guilds", list_guilds)
    yield web.post(f"{API}/users/@me/channels", open_direct_channel)
    yield web.get(f"{API}/users/{{user_id}}", get_user)
    yield web.get(f"{API}/oauth2/applications/@me", get_application)
    yield web.get(f"{API}/applications/@me", get_application)
    yield web.get(f"{API}/gateway", get_gateway)
    yield web.get(f"{API}/gateway/bot", get_gateway)
    yield web.get(f"{API}/guilds/{{guild_id}}", get_guild)
    yield web.get(f"{API}/guilds/{{guild_id}}/channels", list_channels)
    yield web.get(f"{API}/guilds/{{guild_id}}/roles", list_roles)
    yield web.get(f"{API}/guilds/{{guild_id}}/members/{{user_id}}", get_member)
    yield web.get(f"{API}/channels/{{channel_id}}", get_channel)
    yield web.delete(f"{API}/channels/{{channel_id}}", delete_channel)


def file_routes() -> Iterator[web.RouteDef]:
    """Yield the routes of what Discord's file server holds; they need no authorisation."""
    yield web.get("/attachments/{channel_id}/{attachment_id}/{filename}", get_attachment)
    yield web.get("/embed/avatars/{index}.png", get_avatar)


async def get_me(request: web.Request) -> web.Response:
    """Return the bot's user."""
    user = user_payload(request.app[SERVICES].state.bot)
    return answer({**user, "mfa_enabled": False, "verified": True, "locale": "en-US", "flags": 0})


async def list_guilds(request: web.Request) -> web.Response:
    """List the bot's guilds."""
    state = request.app[SERVICES].state
    return answer(
        [
            {
                "id": str(guild.id),
                "name": guild.name,
                "icon": None,
                "owner": False,
                "permissions": str(state.guild_permissions(guild.id, state.bot.id)),
                "features": [],
            }
            for guild in state.bot_guilds()
        ]
    )


async def open_direct_channel(request: web.Request) -> web.Response:
    """Open the direct messages with a user."""
    state = request.app[SERVICES].state
    body = await read_json(request)
    channel = state.direct_channel(int(body.get("recipient_id", 0)))
    return answer(channel_payload(state, channel))


async def get_user(request: web.Request) -> web.Response:
    """Return a user."""
    user = request.app[SERVICES].state.users.get(number(request, "user_id"))
    if user is None:
        raise errors.unknown("User")
    return answer(user_payload(user))


async def get_application(request: web.Request) -> web.Response:
    """Return the bot's application."""
    state = request.app[SERVICES].state
    owner = next(user for user in state.users.values() if not user.bot)
    return answer(
        {
            "id": str(state.application_id),
            "name": state.bot.name,
            "description": "A bot in the sandbox",
            "icon": None,
            "bot_public": False,
            "bot_require_code_grant": False,
            "owner": user_payload(owner),
            "verify_key": "0" * 64,
            "flags": 0,
            "team": None,
            "approximate_guild_count": len(state.bot_guilds()),
            "interactions_endpoint_url": None,
        }
    )


async def get_gateway(request: web.Request) -> web.Response:
    """Return the gateway's address."""
    address = request.app[SERVICES].state.base_url.replace("http://", "ws://")
    body: dict[str, object] = {"url": f"{address}/gateway"}
    if request.path.endswith("/bot"):
        body |= {
            "shards": 1,
            "session_start_limit": {
                "total": 1000,
                "remaining": 1000,
                "reset_after": 0,
                "max_concurrency": 1,
            },
        }
    return answer(body)


async def get_guild(request: web.Request) -> web.Response:
    """Return a guild."""
    state = request.app[SERVICES].state
    return answer(guild_payload(state, state.guild(number(request, "guild_id"))))


async def list_channels(request: web.Request) -> web.Response:
    """List a guild's channels."""
    state = request.app[SERVICES].state
    guild = state.guild(number(request, "guild_id"))
    return answer([channel_payload(state, c) for c in state.guild_channels(guild.id)])


async def list_roles(request: web.Request) -> web.Response:
    """List a guild's roles."""
    state = request.app[SERVICES].state
    guild = state.guild(number(request, "guild_id"))
    return answer([role_payload(r) for r in state.roles.values() if r.guild_id == guild.id])


async def get_member(request: web.Request) -> web.Response:
    """Return a member of a guild."""
    state = request.app[SERVICES].state
    guild = state.guild(number(request, "guild_id"))
    user_id = number(request, "user_id")
    if (guild.id, user_id) not in state.members:
        raise errors.unknown("Member")
    return answer(full_member_payload(state, guild.id, user_id))


async def get_channel(request: web.Request) -> web.Response:
    """Return a channel that the bot can see."""
    state = request.app[SERVICES].state
    channel = _seen_channel(state, number(request, "channel_id"))
    return answer(channel_payload(state, channel))


async def delete_channel(request: web.Request) -> web.Response:
    """Delete a channel or thread."""
    state = request.app[SERVICES].state
    channel = _seen_channel(state, number(request, "channel_id"))
    needed = Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS
    state.require(channel, needed)
    body = channel_payload(state, channel)
    state.remove_channel(channel.id)
    return answer(body)


async def get_attachment(request: web.Request) -> web.Response:
    """Serve a file of a message."""
    state = request.app[SERVICES].state
    attachment = state.attachment(number(request, "attachment_id"))
    if attachment is None:
        return web.Response(status=404)
    return web.Response(body=attachment.data, content_type=attachment.content_type)


async def get_avatar(request: web.Request) -> web.Response:
    """Serve a default avatar."""
    return web.Response(body=_PIXEL, content_type="image/png")


def _seen_channel(state: State, channel_id: int) -> Channel:
    channel = state.channel(channel_id)
    state.require(channel)
    return channel
