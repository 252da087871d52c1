"""REST routes of interaction callbacks, their follow-ups, and incoming webhooks.

Follow-ups and webhooks share their addresses: an application's id stands where a webhook's does.
"""

from collections.abc import Iterator
from dataclasses import replace

from aiohttp import web

from bot.sandbox import errors
from bot.sandbox.composing import Upload, compose, revise
from bot.sandbox.models import Channel, Message, User, Webhook
from bot.sandbox.payloads import webhook_payload
from bot.sandbox.payloads_messages import message_payload
from bot.sandbox.permissions import Permission
from bot.sandbox.rest import (
    API,
    SERVICES,
    Services,
    answer,
    no_content,
    number,
    read_json,
    read_upload,
)

ORIGINAL = "@original"


def interaction_routes() -> Iterator[web.RouteDef]:
    """Yield the routes."""
    yield web.post(f"{API}/interactions/{{interaction_id}}/{{webhook_token}}/callback", callback)
    hook = f"{API}/webhooks/{{webhook_id}}/{{webhook_token}}"
    yield web.get(hook, get_webhook)
    yield web.post(hook, execute)
    one = f"{hook}/messages/{{message_id}}"
    yield web.get(one, get_message)
    yield web.patch(one, edit_message)
    yield web.delete(one, delete_message)
    yield web.get(f"{API}/webhooks/{{webhook_id}}", get_webhook_as_bot)
    yield web.get(f"{API}/channels/{{channel_id}}/webhooks", list_webhooks)
    yield web.post(f"{API}/channels/{{channel_id}}/webhooks", create_webhook)


async def callback(request: web.Request) -> web.Response:
    """Take an interaction's acknowledgement."""
    services = request.app[SERVICES]
    upload = await read_upload(request)
    token = request.match_info["webhook_token"]
    described = services.desk.acknowledge(number(request, "interaction_id"), token, upload)
    if request.query.get("with_response") in ("1", "true", "True"):
        return answer(described)
    return no_content()


async def execute(request: web.Request) -> web.Response:
    """Send a follow-up, or a message of an incoming webhook."""
    services = request.app[SERVICES]
    upload = await read_upload(request)
    if _is_application(request):
        message = services.desk.follow_up(request.match_info["webhook_token"], upload)
        return answer(message_payload(services.state, message))
    message = _say(services, _webhook(request), upload, thread=request.query.get("thread_id"))
    if request.query.get("wait") in ("1", "true", "True"):
        return answer(message_payload(services.state, message))
    return no_content()


async def get_message(request: web.Request) -> web.Response:
    """Return a message of an interaction or webhook."""
    return answer(message_payload(request.app[SERVICES].state, _message(request)))


async def edit_message(request: web.Request) -> web.Response:
    """Edit a message of an interaction or webhook."""
    services = request.app[SERVICES]
    upload = await read_upload(request)
    message = _message(request)
    if _is_application(request):
        edited = services.desk.edit(request.match_info["webhook_token"], message, upload)
    else:
        edited = services.state.replace_message(revise(services.state, message, upload))
    return answer(message_payload(services.state, edited))


async def delete_message(request: web.Request) -> web.Response:
    """Delete a message of an interaction or webhook."""
    services = request.app[SERVICES]
    message = _message(request)
    if _is_application(request):
        services.desk.delete(request.match_info["webhook_token"], message)
    else:
        services.state.remove_message(message)
    return no_content()


async def get_webhook(request: web.Request) -> web.Response:
    """Return an incoming webhook by its token."""
    return answer(webhook_payload(request.app[SERVICES].state, _webhook(request)))


async def get_webhook_as_bot(request: web.Request) -> web.Response:
    """Return an incoming webhook by the bot's right to manage webhooks."""
    state = request.app[SERVICES].state
    webhook = state.webhooks.get(number(request, "webhook_id"))
    if webhook is None:
        raise errors.unknown("Webhook")
    state.require(state.channel(webhook.channel_id), Permission.MANAGE_WEBHOOKS)
    return answer(webhook_payload(state, webhook))


async def list_webhooks(request: web.Request) -> web.Response:
    """List a channel's webhooks."""
    state = request.app[SERVICES].state
    channel = _manageable(request)
    hooks = [hook for hook in state.webhooks.values() if hook.channel_id == channel.id]
    return answer([webhook_payload(state, hook) for hook in hooks])


async def create_webhook(request: web.Request) -> web.Response:
    """Create a webhook in a channel."""
    state = request.app[SERVICES].state
    channel = _manageable(request)
    name = str((await read_json(request)).get("name") or "Webhook")
    hook_id = state.next_id()
    token = f"webhook-token-{hook_id}"
    hook = Webhook(hook_id, token, channel.id, name, application_id=state.application_id)
    state.webhooks[hook.id] = hook
    return answer(webhook_payload(state, hook))


def _manageable(request: web.Request) -> Channel:
    state = request.app[SERVICES].state
    channel = state.channel(number(request, "channel_id"))
    state.require(channel, Permission.MANAGE_WEBHOOKS)
    return channel


def _say(services: Services, hook: Webhook, upload: Upload, *, thread: str | None) -> Message:
    state = services.state
    channel = state.channel(int(thread) if thread else hook.channel_id)
    if channel.id != hook.channel_id and channel.parent_id != hook.channel_id:
        raise errors.unknown("Channel")
    name = str(upload.payload.get("username") or hook.name)
    author = User(hook.id, name, bot=True)
    message = compose(state, upload, channel_id=channel.id, author=author)
    owner = hook.application_id
    return state.add_message(replace(message, webhook_id=hook.id, application_id=owner))


def _is_application(request: web.Request) -> bool:
    return number(request, "webhook_id") == request.app[SERVICES].state.application_id


def _webhook(request: web.Request) -> Webhook:
    hook = request.app[SERVICES].state.webhooks.get(number(request, "webhook_id"))
    if hook is None:
        raise errors.unknown("Webhook")
    if hook.token != request.match_info["webhook_token"]:
        raise errors.invalid_webhook_token()
    return hook


def _message(request: web.Request) -> Message:
    services = request.app[SERVICES]
    token = request.match_info["webhook_token"]
    if _is_application(request):
        if request.match_info["message_id"] == ORIGINAL:
            return services.desk.original(token)
        return services.desk.message(token, number(request, "message_id"))
    hook = _webhook(request)
    message = services.state.message(number(request, "message_id"))
    if message.webhook_id != hook.id:
        raise errors.unknown("Message")
    return message
