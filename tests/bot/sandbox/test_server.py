import aiohttp
import pytest
from aiohttp import web

from bot.sandbox.errors import NotOffered
from bot.sandbox.events import ChangeKind
from bot.sandbox.models import Overwrite
from bot.sandbox.permissions import Permission
from bot.sandbox.server import SANDBOX, SandboxDiscord


async def show_page(request: web.Request) -> web.Response:
    sandbox = request.app[SANDBOX]
    return web.Response(text=f"{len(sandbox.channel('research').messages)} messages")


async def test_a_page_is_served_beside_the_api_and_uses_the_same_driver():
    routes = [web.get("/", show_page)]
    async with SandboxDiscord(page_routes=routes) as sandbox, aiohttp.ClientSession() as http:
        await sandbox.user("operator").send("hello")
        async with http.get(sandbox.base_url) as response:
            assert await response.text() == "1 messages"


async def test_a_subscription_sees_changes_from_its_start_or_from_before(sandbox):
    await sandbox.user("operator").send("one")
    with sandbox.subscribe() as later, sandbox.subscribe(since=0) as all_changes:
        await sandbox.user("operator").send("two")

        assert (await anext(later)).message.content == "two"
        texts = [(await anext(all_changes)).message.content for _ in range(2)]

    assert texts == ["one", "two"]
    with pytest.raises(StopAsyncIteration):
        await anext(later)


async def test_changes_of_an_interaction_are_visible_to_its_user_only(sandbox, clock):
    sandbox.commands.overwrite(None, [{"name": "x", "description": "y", "type": 1}])
    user = sandbox.user("operator")
    await user.slash("x")
    clock.advance(3)
    changes = [c for c in sandbox.log.changes if c.kind is ChangeKind.INTERACTION]

    assert [change.detail for change in changes] == ["waiting", "failed"]
    assert changes[0].is_visible_to(user.user.id)
    assert not changes[0].is_visible_to(sandbox.user("viewer").user.id)


async def test_the_server_comes_back_at_the_same_address_after_an_outage(sandbox):
    before = sandbox.base_url
    async with aiohttp.ClientSession() as http:
        async with sandbox.outage():
            with pytest.raises(aiohttp.ClientError):
                await http.get(f"{before}/embed/avatars/0.png")
        async with http.get(f"{before}/embed/avatars/0.png") as response:
            assert response.content_type == "image/png"
        async with http.get(f"{before}/attachments/1/2/x.png") as response:
            assert response.status == 404

    assert sandbox.base_url == before


async def test_fixed_ids_are_the_same_in_every_sandbox(sandbox):
    async with SandboxDiscord() as other:
        assert other.ids == sandbox.ids
        assert other.base_url != sandbox.base_url


async def test_roles_and_unknown_names(sandbox):
    sandbox.set_roles("viewer", (sandbox.operator_role_id,))
    viewer = sandbox.user("viewer").user.id
    names = [role.name for role in sandbox.state.roles_of(sandbox.guild_id, viewer)]

    assert names == ["@everyone", "Operator"]
    with pytest.raises(NotOffered, match="no user 'nobody'"):
        sandbox.user("nobody")
    with pytest.raises(NotOffered, match="no channel 'nowhere'"):
        sandbox.channel("nowhere")


async def test_a_user_sees_at_once_what_changes_about_the_channel(sandbox):
    sandbox.commands.overwrite(None, [{"name": "x", "description": "y", "type": 1}])
    viewer = sandbox.user("viewer")
    assert viewer.commands()
    everyone = Overwrite(sandbox.guild_id, is_member=False, deny=Permission.VIEW_CHANNEL)
    sandbox.state.set_overwrite(sandbox.channel_id, everyone)

    assert viewer.commands() == []
    assert viewer.messages() == []
    sandbox.delete_channel("research")
    with pytest.raises(NotOffered, match="no channel"):
        viewer.commands()


async def test_a_server_closes_with_a_client_still_connected():
    async with aiohttp.ClientSession() as http:
        async with SandboxDiscord() as sandbox:
            socket = await http.ws_connect(sandbox.gateway_url)
            await socket.receive_json()
        assert (await socket.receive()).data == aiohttp.WSCloseCode.GOING_AWAY
