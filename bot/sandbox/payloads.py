"""The JSON that Discord sends for users, guilds, channels and commands.

Messages are in payloads_messages.py. Nothing is checked or changed here.
"""

import copy
from typing import Any

from bot.sandbox.clock import iso
from bot.sandbox.models import (
    Channel,
    ChannelType,
    Command,
    Guild,
    Payload,
    Role,
    User,
    Webhook,
)
from bot.sandbox.state import State

_JOINED_AT = "2024-01-01T00:00:00.000000+00:00"


def user_payload(user: User) -> Payload:
    """Return a user."""
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.bot else user.name.title(),
        "discriminator": "0",
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
    }


def member_payload(state: State, guild_id: int, user_id: int) -> Payload:
    """Return a member without the user."""
    member = state.members[guild_id, user_id]
    return {
        "roles": [str(role_id) for role_id in member.role_ids],
        "joined_at": _JOINED_AT,
        "nick": None,
        "avatar": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def full_member_payload(state: State, guild_id: int, user_id: int) -> Payload:
    """Return a member with the user."""
    user = user_payload(state.users[user_id])
    return {**member_payload(state, guild_id, user_id), "user": user}


def role_payload(role: Role) -> Payload:
    """Return a role."""
    payload: Payload = {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.managed_by is not None,
        "mentionable": False,
        "flags": 0,
    }
    if role.managed_by is not None:
        payload["tags"] = {"bot_id": str(role.managed_by)}
    return payload


def channel_payload(state: State, channel: Channel) -> Payload:
    """Return a channel, a thread or a direct message channel."""
    last = max((m.id for m in state.messages_in(channel.id) if not m.ephemeral), default=None)
    payload: Payload = {
        "id": str(channel.id),
        "type": int(channel.type),
        "last_message_id": None if last is None else str(last),
        "flags": 0,
    }
    if channel.type is ChannelType.DM:
        others = [i for i in channel.recipient_ids if i != state.bot.id]
        return {**payload, "recipients": [user_payload(state.users[i]) for i in others]}
    payload |= {
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "rate_limit_per_user": 0,
        "parent_id": None if channel.parent_id is None else str(channel.parent_id),
    }
    if channel.is_thread:
        return payload | _thread_part(state, channel)
    overwrites = [
        {
            "id": str(overwrite.target_id),
            "type": int(overwrite.is_member),
            "allow": str(int(overwrite.allow)),
            "deny": str(int(overwrite.deny)),
        }
        for overwrite in channel.overwrites
    ]
    return {
        **payload,
        "position": channel.position,
        "topic": channel.topic,
        "nsfw": False,
        "permission_overwrites": overwrites,
    }


def _thread_part(state: State, thread: Channel) -> Payload:
    count = sum(1 for message in state.messages_in(thread.id) if not message.ephemeral)
    created = iso(thread.created_at)
    return {
        "owner_id": str(thread.owner_id),
        "message_count": count,
        "total_message_sent": count,
        "member_count": 1,
        "thread_metadata": {
            "archived": thread.archived,
            "locked": thread.locked,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": created,
            "create_timestamp": created,
        },
        "member": {
            "id": str(thread.id),
            "user_id": str(state.bot.id),
            "join_timestamp": created,
            "flags": 0,
        },
    }


def guild_payload(state: State, guild: Guild, *, for_gateway: bool = False) -> Payload:
    """Return a guild; with its channels, threads and members as GUILD_CREATE has them."""
    roles = [role_payload(r) for r in state.roles.values() if r.guild_id == guild.id]
    members = state.guild_members(guild.id)
    payload: Payload = {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "icon": None,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": roles,
        "preferred_locale": "en-US",
        "premium_tier": 0,
        "verification_level": 1,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "max_members": 500_000,
    }
    if for_gateway:
        users = (state.users[member.user_id] for member in members)
        threads = state.guild_channels(guild.id, threads=True)
        payload |= {
            "member_count": len(members),
            "large": False,
            "unavailable": False,
            "joined_at": _JOINED_AT,
            "members": [full_member_payload(state, guild.id, user.id) for user in users],
            "channels": [channel_payload(state, c) for c in state.guild_channels(guild.id)],
            "threads": [channel_payload(state, t) for t in threads if not t.archived],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
    return payload


def webhook_payload(state: State, webhook: Webhook) -> Payload:
    """Return an incoming webhook with its token."""
    channel = state.channels.get(webhook.channel_id)
    return {
        "id": str(webhook.id),
        "type": 1,
        "name": webhook.name,
        "avatar": None,
        "channel_id": str(webhook.channel_id),
        "guild_id": None if channel is None else str(channel.guild_id),
        "application_id": None if webhook.application_id is None else str(webhook.application_id),
        "token": webhook.token,
    }


def command_payload(state: State, command: Command) -> Payload:
    """Return a registered command with the defaults that Discord fills in."""
    payload: dict[str, Any] = {
        "type": 1,
        "description": "",
        "options": [],
        "default_member_permissions": None,
        "dm_permission": True,
        "nsfw": False,
        **copy.deepcopy(dict(command.definition)),
        "id": str(command.id),
        "application_id": str(state.application_id),
        "version": str(command.version),
    }
    if command.guild_id is not None:
        payload["guild_id"] = str(command.guild_id)
    return payload
