"""The sandbox's default world: two guilds, their channels and people, with fixed ids."""

from dataclasses import dataclass

from bot.sandbox.clock import Clock
from bot.sandbox.events import EventLog
from bot.sandbox.models import Channel, ChannelType, Guild, Member, Role, User, Webhook
from bot.sandbox.permissions import MEMBER_DEFAULT, Permission
from bot.sandbox.state import State

# Snowflakes of September 2021, so that every id made later is greater.
_BASE = 888_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class WorldIds:
    """The fixed ids and secrets of the default world."""

    application_id: int = _BASE + 1
    guild_id: int = _BASE + 10
    channel_id: int = _BASE + 11
    general_channel_id: int = _BASE + 12
    operator_role_id: int = _BASE + 13
    admin_role_id: int = _BASE + 14
    bot_role_id: int = _BASE + 15
    webhook_id: int = _BASE + 16
    # Clients take no token shorter than 60 characters.
    webhook_token: str = "sandbox-webhook-token".ljust(68, "0")
    other_guild_id: int = _BASE + 20
    other_channel_id: int = _BASE + 21
    owner_id: int = _BASE + 100
    operator_id: int = _BASE + 101
    viewer_id: int = _BASE + 102
    admin_id: int = _BASE + 103
    stranger_id: int = _BASE + 104
    bot_token: str = "sandbox-token"


def build_world(clock: Clock, log: EventLog, ids: WorldIds) -> State:
    """Return the default world.

    "Jesse Lab" has #research and #general, the role Operator, and the people owner, operator,
    viewer and admin; "Other Guild" has #lobby and the stranger. The bot is in both.
    """
    bot = User(ids.application_id, "Jesse", bot=True)
    state = State(clock, log, bot=bot, application_id=ids.application_id)
    _add_people(state, ids)
    _add_home_guild(state, ids)
    _add_other_guild(state, ids)
    return state


def _add_people(state: State, ids: WorldIds) -> None:
    people = {
        "owner": ids.owner_id,
        "operator": ids.operator_id,
        "viewer": ids.viewer_id,
        "admin": ids.admin_id,
        "stranger": ids.stranger_id,
    }
    for name, user_id in people.items():
        state.users[user_id] = User(user_id, name)


def _add_home_guild(state: State, ids: WorldIds) -> None:
    guild_id = ids.guild_id
    state.guilds[guild_id] = Guild(guild_id, "Jesse Lab", ids.owner_id)
    for role in (
        Role(guild_id, guild_id, "@everyone", MEMBER_DEFAULT),
        Role(ids.operator_role_id, guild_id, "Operator", 0, position=1),
        Role(ids.admin_role_id, guild_id, "Admin", Permission.MANAGE_GUILD, position=2),
        Role(ids.bot_role_id, guild_id, "Jesse", 0, position=3, managed_by=ids.application_id),
    ):
        state.roles[role.id] = role
    for user_id, roles in (
        (ids.owner_id, ()),
        (ids.operator_id, (ids.operator_role_id,)),
        (ids.viewer_id, ()),
        (ids.admin_id, (ids.admin_role_id,)),
        (ids.application_id, (ids.bot_role_id,)),
    ):
        state.members[guild_id, user_id] = Member(guild_id, user_id, roles)
    for position, (channel_id, name) in enumerate(
        ((ids.channel_id, "research"), (ids.general_channel_id, "general"))
    ):
        _add_text_channel(state, guild_id, channel_id=channel_id, name=name, position=position)
    state.webhooks[ids.webhook_id] = Webhook(
        ids.webhook_id, ids.webhook_token, ids.channel_id, "Jesse alerts"
    )


def _add_other_guild(state: State, ids: WorldIds) -> None:
    guild_id = ids.other_guild_id
    state.guilds[guild_id] = Guild(guild_id, "Other Guild", ids.stranger_id)
    state.roles[guild_id] = Role(guild_id, guild_id, "@everyone", MEMBER_DEFAULT)
    for user_id in (ids.stranger_id, ids.application_id):
        state.members[guild_id, user_id] = Member(guild_id, user_id)
    _add_text_channel(state, guild_id, channel_id=ids.other_channel_id, name="lobby", position=0)


def _add_text_channel(
    state: State, guild_id: int, *, channel_id: int, name: str, position: int
) -> None:
    channel = Channel(channel_id, ChannelType.TEXT, name, guild_id=guild_id, position=position)
    state.channels[channel_id] = channel
