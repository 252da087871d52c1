"""The JSON that Discord sends for interactions. Nothing is checked or changed here."""

from bot.sandbox.interaction_models import Callback, Interaction, InteractionKind
from bot.sandbox.models import Payload
from bot.sandbox.payloads import channel_payload, full_member_payload, user_payload
from bot.sandbox.payloads_messages import message_payload
from bot.sandbox.rules import FILE_BYTES
from bot.sandbox.state import State

_GUILD_CONTEXT = 0
_BOT_DM_CONTEXT = 1


def interaction_payload(state: State, interaction: Interaction) -> Payload:
    """Return an interaction as INTERACTION_CREATE carries it."""
    channel = state.channels[interaction.channel_id]
    user_rights = str(state.permissions_in(channel, interaction.user_id))
    payload: Payload = {
        "id": str(interaction.id),
        "application_id": str(state.application_id),
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "channel_id": str(channel.id),
        "channel": {**channel_payload(state, channel), "permissions": user_rights},
        "app_permissions": str(state.permissions_in(channel, state.bot.id)),
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": _owners(state, interaction),
        "attachment_size_limit": FILE_BYTES,
    }
    if interaction.source_id is not None and interaction.source_id in state.messages:
        payload["message"] = message_payload(state, state.messages[interaction.source_id])
    if interaction.guild_id is None:
        user = user_payload(state.users[interaction.user_id])
        return payload | {"user": user, "context": _BOT_DM_CONTEXT}
    member = full_member_payload(state, interaction.guild_id, interaction.user_id)
    return payload | {
        "guild_id": str(interaction.guild_id),
        "guild": {"id": str(interaction.guild_id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": {**member, "permissions": user_rights},
        "context": _GUILD_CONTEXT,
    }


def metadata(state: State, interaction: Interaction) -> Payload:
    """Return what a message says about the interaction that it answers."""
    payload: Payload = {
        "id": str(interaction.id),
        "type": int(interaction.kind),
        "user": user_payload(state.users[interaction.user_id]),
        "authorizing_integration_owners": _owners(state, interaction),
    }
    if interaction.original_id is not None:
        payload["original_response_message_id"] = str(interaction.original_id)
    if interaction.source_id is not None:
        payload["interacted_message_id"] = str(interaction.source_id)
    if "name" in interaction.data:
        payload["name"] = interaction.data["name"]
    if interaction.kind is InteractionKind.MODAL_SUBMIT:
        # The library reads this key without asking; the sandbox doesn't keep the chain.
        payload["triggering_interaction_metadata"] = {**payload, "type": 2}
    return payload


def callback_payload(state: State, interaction: Interaction) -> Payload:
    """Return Discord's answer to an acknowledgement with `with_response`."""
    about: Payload = {"id": str(interaction.id), "type": int(interaction.kind)}
    resource: Payload = {"type": int(interaction.callback or 0)}
    message = state.messages.get(interaction.original_id or 0)
    if message is not None:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.loading,
            "response_message_ephemeral": message.ephemeral,
        }
        # A deferred update has no resource message of its own.
        if interaction.callback is not Callback.DEFERRED_UPDATE:
            resource["message"] = message_payload(state, message)
    return {"interaction": about, "resource": resource}


def _owners(state: State, interaction: Interaction) -> Payload:
    return {"0": str(interaction.guild_id or 0)}
