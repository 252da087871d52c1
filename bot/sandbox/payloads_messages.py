"""The JSON that Discord sends for messages and their files. Nothing is checked or changed here."""

import copy
from collections.abc import Iterable

from bot.sandbox.clock import iso
from bot.sandbox.models import Attachment, Channel, Message, MessageFlag, Payload
from bot.sandbox.payloads import channel_payload, member_payload, user_payload
from bot.sandbox.state import State

_EMBED_URLS = (
    ("image", "url"),
    ("thumbnail", "url"),
    ("footer", "icon_url"),
    ("author", "icon_url"),
)


def attachment_url(state: State, attachment: Attachment) -> str:
    """Return the address from which the sandbox serves a file."""
    where = f"attachments/{attachment.channel_id}/{attachment.id}/{attachment.filename}"
    return f"{state.base_url}/{where}"


def attachment_payload(state: State, attachment: Attachment) -> Payload:
    """Return a file of a message."""
    url = attachment_url(state, attachment)
    payload: Payload = {
        "id": str(attachment.id),
        "filename": attachment.filename,
        "size": len(attachment.data),
        "url": url,
        "proxy_url": url,
        "content_type": attachment.content_type,
    }
    if attachment.description:
        payload["description"] = attachment.description
    return payload


def shown_embeds(state: State, message: Message) -> tuple[list[Payload], set[int]]:
    """Return the embeds with attachment:// addresses resolved, and the ids of the files used."""
    urls = {f"attachment://{a.filename}": a for a in message.attachments}
    urls |= {attachment_url(state, a): a for a in message.attachments}
    used: set[int] = set()
    embeds = [{"type": "rich", **copy.deepcopy(embed)} for embed in message.embeds]
    holders = ((e.get(key), part) for e in embeds for key, part in _EMBED_URLS)
    for holder, part in holders:
        attachment = urls.get(holder.get(part, "")) if isinstance(holder, dict) else None
        if attachment is not None and isinstance(holder, dict):
            holder[part] = attachment_url(state, attachment)
            used.add(attachment.id)
    return embeds, used


def message_payload(state: State, message: Message, *, with_content: bool = True) -> Payload:
    """Return a message; files shown inside an embed are not listed again, as on Discord."""
    embeds, used = shown_embeds(state, message)
    channel = state.channels.get(message.channel_id)
    files = [attachment_payload(state, a) for a in message.attachments if a.id not in used]
    payload: Payload = {
        "id": str(message.id),
        "channel_id": str(message.channel_id),
        "type": message.type,
        "author": user_payload(message.author),
        "content": message.content if with_content else "",
        "embeds": embeds if with_content else [],
        "attachments": files if with_content else [],
        "components": copy.deepcopy(list(message.components)) if with_content else [],
        "flags": int(message.flags),
        "timestamp": iso(message.created_at),
        "edited_timestamp": None if message.edited_at is None else iso(message.edited_at),
        "tts": False,
        "pinned": message.pinned,
        "mention_everyone": message.pings_everyone,
        "mentions": _mentioned_users(state, message.pinged_ids),
        "mention_roles": [str(i) for i in message.pinged_ids if i in state.roles],
    }
    return payload | _message_extras(state, message, channel)


def _message_extras(state: State, message: Message, channel: Channel | None) -> Payload:
    extras: Payload = {}
    if message.nonce is not None:
        extras["nonce"] = message.nonce
    for key, number in (
        ("webhook_id", message.webhook_id),
        ("application_id", message.application_id),
    ):
        if number is not None:
            extras[key] = str(number)
    if message.interaction_metadata is not None:
        extras["interaction_metadata"] = message.interaction_metadata
    if message.reference_id is not None:
        extras["message_reference"] = {
            "message_id": str(message.reference_id),
            "channel_id": str(message.channel_id),
        }
        original = state.messages.get(message.reference_id)
        extras["referenced_message"] = original and message_payload(state, original)
    if message.flags & MessageFlag.HAS_THREAD and message.thread_id in state.channels:
        extras["thread"] = channel_payload(state, state.channels[message.thread_id])
    if channel is not None and channel.is_thread:
        extras["position"] = 0
    return extras


def gateway_message_payload(state: State, message: Message, *, with_content: bool) -> Payload:
    """Return a message as MESSAGE_CREATE and MESSAGE_UPDATE carry it: with guild and member."""
    payload = message_payload(state, message, with_content=with_content)
    channel = state.channels[message.channel_id]
    if channel.guild_id is not None:
        payload["guild_id"] = str(channel.guild_id)
        if (channel.guild_id, message.author.id) in state.members:
            payload["member"] = member_payload(state, channel.guild_id, message.author.id)
    return payload


def _mentioned_users(state: State, ids: Iterable[int]) -> list[Payload]:
    return [user_payload(state.users[i]) for i in ids if i in state.users]
