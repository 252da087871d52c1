import aiohttp
import discord
import pytest

from bot.sandbox.models import Overwrite
from bot.sandbox.permissions import Permission


async def read_until(socket, kind, check=lambda event: True):
    """Return the first event of a kind that fits."""
    while True:
        event = await socket.receive_json(timeout=10)
        if event["type"] == kind and check(event):
            return event


async def test_a_page_hears_a_snapshot_and_then_each_change(listening, sandbox):
    await sandbox.user("operator").send("before")
    async with listening() as socket:
        snapshot = await socket.receive_json()
        await sandbox.user("viewer").send("after")
        change = await socket.receive_json()

    assert [message["content"] for message in snapshot["messages"]] == ["before"]
    assert (change["type"], change["message"]["content"]) == ("message", "after")


async def test_an_ephemeral_answer_is_heard_by_its_user_only(listening, research, sandbox):
    async with listening("operator") as mine, listening("viewer") as other:
        await sandbox.user("operator").slash("forward list")
        seen = await read_until(mine, "message")
        await sandbox.user("operator").send("last")
        await read_until(mine, "message", lambda e: e["message"]["content"] == "last")
        await other.receive_json()
        heard = await other.receive_json()

    assert seen["message"]["ephemeral"]
    assert seen["message"]["used"]["command"] == "forward list"
    assert heard["message"]["content"] == "last"


async def test_a_command_without_an_answer_is_heard_to_fail(listening, research, sandbox, clock):
    async with listening() as socket:
        await sandbox.user("operator").slash("hang")
        waiting = await read_until(socket, "interaction")
        clock.advance(3)
        failed = await read_until(socket, "interaction")

    assert (waiting["stage"], failed["stage"]) == ("waiting", "failed")
    assert (failed["kind"], failed["command"], failed["answer"]) == ("command", "hang", "")


async def test_a_deferred_answer_that_never_comes_is_heard_as_failed(
    listening, research, sandbox, clock
):
    async with listening() as socket:
        answer = await sandbox.user("operator").slash("think")
        await answer.first_response()
        loading = await read_until(socket, "message")
        clock.advance(15 * 60)
        failed = await read_until(socket, "message")

    assert (loading["message"]["loading"], loading["message"]["failed"]) == (True, False)
    assert failed["message"]["failed"]


async def test_suggestions_do_not_show_as_something_under_way(listening, research, sandbox):
    async with listening() as socket:
        await socket.receive_json()
        await sandbox.user("operator").autocomplete("backtest", option="strategy")
        await sandbox.user("operator").send("next")

        assert (await socket.receive_json())["type"] == "message"


async def test_new_commands_and_threads_are_heard(listening, research, sandbox):
    channel = research.get_channel(sandbox.channel_id)
    async with listening() as socket:
        await socket.receive_json()
        sandbox.commands.overwrite(sandbox.guild_id, [{"name": "new", "description": "one"}])
        commands = await read_until(socket, "commands")
        await channel.create_thread(name="talk", type=discord.ChannelType.public_thread)
        threads = await read_until(socket, "channels")

    assert "new" in [command["path"] for command in commands["commands"]]
    assert ("talk", str(channel.id)) in [(c["name"], c["parent"]) for c in threads["channels"]]


async def test_deleted_messages_and_typing_are_heard(listening, research, sandbox):
    channel = research.get_channel(sandbox.channel_id)
    message = await channel.send("short-lived")
    async with listening() as socket:
        async with channel.typing():
            assert (await read_until(socket, "typing"))["name"] == "Jesse"
        await message.delete()

        assert (await read_until(socket, "deleted"))["id"] == str(message.id)


@pytest.mark.parametrize(("user", "channel"), [("admin", None), ("operator", 5)])
async def test_who_may_not_be_there_hears_only_that(user, channel, listening):
    async with listening(user, channel) as socket:
        assert (await socket.receive_json())["type"] == "gone"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_a_channel_that_is_hidden_or_deleted_is_heard_to_be_gone(listening, sandbox):
    everyone = Overwrite(sandbox.guild_id, is_member=False, deny=Permission.VIEW_CHANNEL)
    async with listening() as hidden, listening(channel=sandbox.ids.general_channel_id) as deleted:
        sandbox.state.set_overwrite(sandbox.channel_id, everyone)
        assert "can't see" in (await read_until(hidden, "gone"))["reason"]
        sandbox.delete_channel("general")
        assert "no channel" in (await read_until(deleted, "gone"))["reason"]


async def test_a_closed_page_stops_listening_and_a_closed_sandbox_closes_pages(
    unstarted, site, http
):
    async with unstarted as sandbox:
        before = len(sandbox.log._listeners)
        address = f"{site.url}live?user=operator&channel={sandbox.channel_id}"
        headers = {"Origin": sandbox.base_url}
        async with http.ws_connect(address, headers=headers) as socket:
            await socket.receive_json()
            assert len(sandbox.log._listeners) == before + 1
        stays = await http.ws_connect(address, headers=headers)
        await stays.receive_json()
        assert len(sandbox.log._listeners) == before + 1

    assert (await stays.receive()).data == aiohttp.WSCloseCode.GOING_AWAY
