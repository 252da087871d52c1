"""What the sandbox's Discord holds in memory, and the few ways in which it changes.

Each change is published to the event log. Rules, permissions checks and JSON live elsewhere.
"""

from collections.abc import Iterator
from dataclasses import replace

from bot.sandbox import errors
from bot.sandbox.clock import Clock
from bot.sandbox.events import Change, ChangeKind, EventLog
from bot.sandbox.models import (
    DISCORD_EPOCH_MS,
    Attachment,
    Channel,
    ChannelType,
    Guild,
    Member,
    Message,
    Overwrite,
    Role,
    User,
    Webhook,
)
from bot.sandbox.permissions import ALL, Permission, base_permissions, channel_permissions

KEPT_VERSIONS = 50


class State:
    """Everything that exists; ids are Discord's snowflakes and always grow.

    `base_url` is where the server listens, without a trailing slash.
    """

    def __init__(self, clock: Clock, log: EventLog, *, bot: User, application_id: int) -> None:
        self.clock = clock
        self.log = log
        self.bot = bot
        self.application_id = application_id
        self.base_url = ""
        self.users: dict[int, User] = {bot.id: bot}
        self.guilds: dict[int, Guild] = {}
        self.roles: dict[int, Role] = {}
        self.members: dict[tuple[int, int], Member] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        self.versions: dict[int, list[Message]] = {}
        self.webhooks: dict[int, Webhook] = {}
        self.uploads: dict[int, Attachment] = {}
        self._last_id = 0

    def attachment(self, attachment_id: int) -> Attachment | None:
        """Return a file of a message or of a command's option."""
        files = (a for m in self.messages.values() for a in m.attachments)
        return self.uploads.get(attachment_id) or next(
            (file for file in files if file.id == attachment_id), None
        )

    def next_id(self) -> int:
        """Return a new snowflake for the present time."""
        milliseconds = int(self.clock.now() * 1000) - DISCORD_EPOCH_MS
        self._last_id = max(milliseconds << 22, self._last_id + 1)
        return self._last_id

    def channel(self, channel_id: int) -> Channel:
        """Return a channel; raise Discord's 10003 if there is none."""
        if channel_id not in self.channels:
            raise errors.unknown("Channel")
        return self.channels[channel_id]

    def message(self, message_id: int, *, channel_id: int | None = None) -> Message:
        """Return a message's present version; raise Discord's 10008 if there is none."""
        message = self.messages.get(message_id)
        if message is None or channel_id not in (None, message.channel_id):
            raise errors.unknown("Message")
        return message

    def guild(self, guild_id: int) -> Guild:
        """Return a guild that the bot is in; raise Discord's 10004 otherwise."""
        if guild_id not in self.guilds or (guild_id, self.bot.id) not in self.members:
            raise errors.unknown("Guild")
        return self.guilds[guild_id]

    def bot_guilds(self) -> list[Guild]:
        """Return the guilds that the bot is a member of."""
        return [g for g in self.guilds.values() if (g.id, self.bot.id) in self.members]

    def guild_channels(self, guild_id: int, *, threads: bool = False) -> list[Channel]:
        """Return a guild's text channels, or its threads."""
        return [
            c for c in self.channels.values() if c.guild_id == guild_id and c.is_thread is threads
        ]

    def guild_members(self, guild_id: int) -> list[Member]:
        """Return a guild's members."""
        return [member for member in self.members.values() if member.guild_id == guild_id]

    def messages_in(self, channel_id: int) -> Iterator[Message]:
        """Yield a channel's messages, oldest first, ephemeral ones included."""
        yield from (m for m in self.messages.values() if m.channel_id == channel_id)

    def roles_of(self, guild_id: int, user_id: int) -> list[Role]:
        """Return a member's roles with @everyone; none for somebody who isn't a member."""
        member = self.members.get((guild_id, user_id))
        if member is None:
            return []
        return [self.roles[i] for i in (guild_id, *member.role_ids) if i in self.roles]

    def guild_permissions(self, guild_id: int, user_id: int) -> int:
        """Return a member's permissions in the guild as a whole."""
        owner = self.guilds[guild_id].owner_id == user_id
        return base_permissions(self.roles_of(guild_id, user_id), is_owner=owner)

    def permissions_in(self, channel: Channel, user_id: int) -> int:
        """Return a user's permissions in a channel; a thread takes its parent's."""
        if channel.guild_id is None:
            return ALL if user_id in channel.recipient_ids else 0
        if channel.parent_id is not None and channel.parent_id in self.channels:
            channel = self.channels[channel.parent_id]
        guild_id = self._guild_of(channel)
        return channel_permissions(
            self.guild_permissions(guild_id, user_id),
            channel.overwrites,
            guild_id=guild_id,
            role_ids={role.id for role in self.roles_of(guild_id, user_id)},
            user_id=user_id,
        )

    def require(self, channel: Channel, *needed: Permission) -> None:
        """Raise 50001 if the bot can't see the channel, 50013 if a permission is missing."""
        held = self.permissions_in(channel, self.bot.id)
        if not held & Permission.VIEW_CHANNEL:
            raise errors.missing_access()
        if any(not held & permission for permission in needed):
            raise errors.missing_permissions()

    def direct_channel(self, user_id: int) -> Channel:
        """Return the direct messages between the bot and a user, opened at need."""
        if user_id not in self.users:
            raise errors.unknown("User")
        for channel in self.channels.values():
            if channel.type is ChannelType.DM and user_id in channel.recipient_ids:
                return channel
        recipients = (user_id, self.bot.id)
        channel = Channel(self.next_id(), ChannelType.DM, "", recipient_ids=recipients)
        self.channels[channel.id] = channel
        return channel

    def add_channel(self, channel: Channel) -> Channel:
        """Add a channel or thread and publish it."""
        self.channels[channel.id] = channel
        self._publish_channel(ChangeKind.CHANNEL_CREATED, channel)
        return channel

    def replace_channel(self, channel: Channel) -> Channel:
        """Put a channel's new version in place and publish it."""
        self.channels[channel.id] = channel
        self._publish_channel(ChangeKind.CHANNEL_UPDATED, channel)
        return channel

    def remove_channel(self, channel_id: int) -> None:
        """Delete a channel with its threads and messages, and publish it."""
        channel = self.channels.pop(channel_id)
        for thread in [c for c in self.channels.values() if c.parent_id == channel_id]:
            self.remove_channel(thread.id)
        for message in list(self.messages_in(channel_id)):
            del self.messages[message.id]
        self._publish_channel(ChangeKind.CHANNEL_DELETED, channel)

    def set_overwrite(self, channel_id: int, overwrite: Overwrite) -> Channel:
        """Set what a channel allows and denies a role or member."""
        channel = self.channel(channel_id)
        others = [o for o in channel.overwrites if o.target_id != overwrite.target_id]
        return self.replace_channel(replace(channel, overwrites=(*others, overwrite)))

    def add_message(self, message: Message) -> Message:
        """Add a message and publish it."""
        self.messages[message.id] = message
        self.versions[message.id] = [message]
        self._publish_message(ChangeKind.MESSAGE_CREATED, message)
        return message

    def replace_message(self, message: Message) -> Message:
        """Put a message's new version in place and publish it; the first and latest stay."""
        self.messages[message.id] = message
        versions = self.versions[message.id]
        versions.append(message)
        if len(versions) > KEPT_VERSIONS:
            del versions[1]
        self._publish_message(ChangeKind.MESSAGE_UPDATED, message)
        return message

    def remove_message(self, message: Message) -> None:
        """Delete a message and publish it; its versions stay in the history."""
        del self.messages[message.id]
        self._publish_message(ChangeKind.MESSAGE_DELETED, message)

    def remove_member(self, guild_id: int, user_id: int) -> None:
        """Take a user out of a guild; publish it if it is the bot."""
        del self.members[guild_id, user_id]
        if user_id == self.bot.id:
            self.log.publish(Change(ChangeKind.GUILD_LEFT, guild_id=guild_id, user_id=user_id))

    def _guild_of(self, channel: Channel) -> int:
        if channel.guild_id is None:
            raise errors.unknown("Guild")
        return channel.guild_id

    def _publish_channel(self, kind: ChangeKind, channel: Channel) -> None:
        change = Change(kind, channel_id=channel.id, guild_id=channel.guild_id, channel=channel)
        self.log.publish(change)

    def _publish_message(self, kind: ChangeKind, message: Message) -> None:
        channel = self.channels.get(message.channel_id)
        self.log.publish(
            Change(
                kind,
                channel_id=message.channel_id,
                guild_id=None if channel is None else channel.guild_id,
                message=message,
                visible_to=message.visible_to,
            )
        )
