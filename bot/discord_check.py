"""What `jesse doctor` asks of Discord: token, server, channels, permissions. Reads only."""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import discord

from bot.services.health import Finding, Verdict
from bot.settings import Settings

NEEDED: Final = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)
WELCOME: Final = discord.Permissions(pin_messages=True)
_TOKEN: Final = re.compile(r"([\w-]{18,})\.[\w-]{4,}\.[\w-]{20,}")
_NETWORK: Final = (aiohttp.ClientError, OSError, TimeoutError, discord.DiscordServerError)
_PORTAL: Final = "in the developer portal"


def invite_permissions() -> int:
    """Return the number that an invitation asks permissions with."""
    return (NEEDED | WELCOME).value


async def check_discord(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is well between this bot and Discord, and what isn't."""
    if settings.discord_webhook_url is not None:
        yield await _check_webhook(settings.discord_webhook_url.get_secret_value())
    if settings.discord_token is None:
        mend = "only needed for the bot: set DISCORD_TOKEN (docs/getting-started.md says how)"
        yield Finding("discord", Verdict.WARNING, "DISCORD_TOKEN is not set", mend)
        return
    token = settings.discord_token.get_secret_value()
    if oddity := describe_format(token):
        mend = f"copy it anew, and nothing but it ({_PORTAL}: Bot, Reset Token)"
        yield Finding("token", Verdict.WARNING, f"DISCORD_TOKEN looks odd: {oddity}", mend)
    async with discord.Client(intents=discord.Intents(guilds=True)) as client:
        try:
            await client.login(token)
        except discord.LoginFailure:
            mend = f"reset the token {_PORTAL} (Bot, Reset Token) and copy it anew"
            yield Finding("discord", Verdict.PROBLEM, "Discord refuses DISCORD_TOKEN", mend)
            return
        except (*_NETWORK, discord.HTTPException) as error:
            yield _unreachable("discord", error)
            return
        yield _describe_application(client)
        async for finding in _check_guild(client, settings):
            yield finding


def describe_format(token: str) -> str:
    """Return what is odd about a token's form, empty for none; never a part of it."""
    if token != token.strip() or token.startswith(("Bot ", '"', "'")):
        return "it has blanks, quotes or the word Bot around it"
    match = _TOKEN.fullmatch(token)
    if match is None:
        return "it hasn't the form of a bot token (three parts joined by points)"
    try:
        number = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))
    except binascii.Error:
        number = b""
    return "" if number.isdigit() else "its first part is no bot's id"


def _describe_application(client: discord.Client) -> Finding:
    assert client.user is not None
    assert client.application is not None
    text = f"the token is valid: {client.user}; it needs no privileged intent"
    if client.application.interactions_endpoint_url:
        text = f"commands of {client.user} go to an interactions endpoint and never arrive here"
        mend = f"empty the field Interactions Endpoint URL {_PORTAL}"
        return Finding("discord", Verdict.PROBLEM, text, mend)
    return Finding("discord", Verdict.OK, text)


async def _check_guild(client: discord.Client, settings: Settings) -> AsyncIterator[Finding]:
    guild_id, name = settings.discord_guild_id, "server"
    if guild_id is None:
        mend = "set DISCORD_GUILD_ID to the server's id (Developer Mode, Copy Server ID)"
        yield Finding(name, Verdict.PROBLEM, "DISCORD_GUILD_ID is not set", mend)
        return
    try:
        assert client.user is not None
        guild = await client.fetch_guild(guild_id, with_counts=False)
        me = await guild.fetch_member(client.user.id)
    except (discord.NotFound, discord.Forbidden):
        mend = f"invite the bot: {_invitation(client)}"
        text = f"the bot is not in the server {guild_id}"
        yield Finding(name, Verdict.PROBLEM, text, mend)
        return
    except (*_NETWORK, discord.HTTPException) as error:
        yield _unreachable(name, error)
        return
    yield _check_role(guild, settings.discord_operator_role_id)
    if not settings.discord_channel_id:
        mend = "set DISCORD_CHANNEL_ID (Developer Mode, Copy Channel ID)"
        yield Finding("channel", Verdict.PROBLEM, "DISCORD_CHANNEL_ID is not set", mend)
    for channel_id in settings.discord_channel_id:
        yield await _check_channel(guild, me, channel_id)


def _check_role(guild: discord.Guild, role_id: int | None) -> Finding:
    text = f"the bot is in {guild.name}"
    if role_id is None:
        text += "; only members with Manage Server may change things"
    elif (role := guild.get_role(role_id)) is None:
        mend = "set DISCORD_OPERATOR_ROLE_ID to a role of this server"
        text = f"{guild.name} has no role {role_id}"
        return Finding("server", Verdict.PROBLEM, text, mend)
    else:
        text += f"; operators have the role {role.name}"
    return Finding("server", Verdict.OK, text)


async def _check_channel(guild: discord.Guild, me: discord.Member, channel_id: int) -> Finding:
    name = f"channel {channel_id}"
    try:
        channel = await guild.fetch_channel(channel_id)
    except (discord.NotFound, discord.Forbidden, discord.InvalidData):
        mend = "check DISCORD_CHANNEL_ID, and that the bot may view the channel"
        text = "it is not there, of another server, or hidden from the bot"
        return Finding(name, Verdict.PROBLEM, text, mend)
    except (*_NETWORK, discord.HTTPException) as error:
        return _unreachable(name, error)
    if not isinstance(channel, discord.TextChannel):
        mend = "name a text channel in DISCORD_CHANNEL_ID"
        return Finding(name, Verdict.PROBLEM, f"#{channel.name} is no text channel", mend)
    held = channel.permissions_for(me)
    if missing := _missing(NEEDED, held):
        mend = f"allow the bot {missing} in #{channel.name}"
        return Finding(name, Verdict.PROBLEM, f"#{channel.name}: {missing} missing", mend)
    if missing := _missing(WELCOME, held):
        mend = f"allow the bot {missing}, so that a test's status stays on top of its thread"
        return Finding(name, Verdict.WARNING, f"#{channel.name}: {missing} missing", mend)
    return Finding(name, Verdict.OK, f"#{channel.name}: all permissions are there")


async def _check_webhook(url: str) -> Finding:
    name = "webhook"
    mend = "make one in the channel's settings (Integrations, Webhooks) and copy its address"
    try:
        async with aiohttp.ClientSession() as session:
            webhook = discord.Webhook.from_url(url, session=session)
            found = await webhook.fetch(prefer_auth=False)
    except (ValueError, discord.NotFound, discord.Forbidden):
        text = "DISCORD_WEBHOOK_URL is no webhook that Discord knows"
        return Finding(name, Verdict.PROBLEM, text, mend)
    except (*_NETWORK, discord.HTTPException) as error:
        return _unreachable(name, error)
    return Finding(name, Verdict.OK, f"alerts can go to the webhook {found.name}")


def _missing(wanted: discord.Permissions, held: discord.Permissions) -> str:
    names = [flag for flag, is_wanted in wanted if is_wanted and not getattr(held, flag)]
    return ", ".join(name.replace("_", " ").title() for name in names)


def _invitation(client: discord.Client) -> str:
    assert client.application_id is not None
    return discord.utils.oauth_url(
        client.application_id,
        permissions=discord.Permissions(invite_permissions()),
        scopes=("bot", "applications.commands"),
    )


def _unreachable(name: str, error: Exception) -> Finding:
    status = getattr(error, "status", None)
    text = f"Discord answers {status}" if status else f"no answer ({type(error).__name__})"
    return Finding(name, Verdict.PROBLEM, text, "check the network, then try again")
