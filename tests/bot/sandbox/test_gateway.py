import asyncio

import aiohttp
import discord
import pytest

from bot.sandbox.errors import NeverHappened
from bot.sandbox.redirect import redirect_discord
from bot.sandbox.server import SandboxDiscord


def hears(bot):
    """Return a queue of the texts that reach the bot in direct messages."""
    heard = asyncio.Queue()

    @bot.listen("on_message")
    async def remember(message: discord.Message) -> None:
        heard.put_nowait(message.content)

    return heard


async def resumed(sandbox: SandboxDiscord, detail: str = "resumed") -> None:
    await sandbox.log.wait_until(
        lambda: any(c.detail == detail for c in sandbox.log.changes) or None,
        timeout_s=10,
        what=detail,
    )


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_events_sent_during_a_drop_arrive_after_the_resume(sandbox, running, bot, code):
    heard = hears(bot)
    user = sandbox.user("viewer").at_dm()
    async with running(bot):
        await user.send("before")
        assert await heard.get() == "before"
        await sandbox.gateway.drop(code)
        await user.send("meanwhile")
        await resumed(sandbox)
        await user.send("after")

        assert [await heard.get(), await heard.get()] == ["meanwhile", "after"]
    assert len(sandbox.gateway.sessions) == 1


async def test_op_7_makes_the_client_resume(sandbox, running, bot):
    heard = hears(bot)
    async with running(bot):
        sandbox.gateway.ask_to_reconnect()
        await resumed(sandbox)
        await sandbox.user("viewer").at_dm().send("still here")

        assert await heard.get() == "still here"
    assert len(sandbox.gateway.sessions) == 1


async def test_a_resumable_op_9_makes_the_client_resume(sandbox, running, bot):
    async with running(bot):
        sandbox.gateway.invalidate(resumable=True)
        await resumed(sandbox)

    assert len(sandbox.gateway.sessions) == 1


async def test_op_9_makes_the_client_identify_anew(sandbox, running, bot, monkeypatch):
    # The library waits five seconds before a new identify; the test doesn't.
    async def at_once(*args, **kwargs) -> None: ...

    monkeypatch.setattr(bot, "before_identify_hook", at_once)
    heard = hears(bot)
    async with running(bot):
        old = set(sandbox.gateway.sessions)
        sandbox.gateway.invalidate()
        await sandbox.wait_until_connected()
        await sandbox.user("viewer").at_dm().send("new session")

        assert await heard.get() == "new session"
        assert not old & set(sandbox.gateway.sessions)


async def test_a_resume_of_an_unknown_session_is_answered_with_op_9(sandbox):
    async with aiohttp.ClientSession() as http, http.ws_connect(sandbox.gateway_url) as socket:
        hello = await socket.receive_json()
        resume = {"token": sandbox.bot_token, "session_id": "none", "seq": 3}
        await socket.send_json({"op": 6, "d": resume})
        refusal = await socket.receive_json()

    assert hello["op"] == 10
    assert refusal == {"op": 9, "d": False}


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"op": 2, "d": {"token": "wrong"}}, 4004),
        ({"op": 2, "d": {"token": "sandbox-token", "intents": 1 << 15}}, 4014),
        ({"op": 8, "d": {}}, 4003),
        ({"op": 99, "d": {}}, 4001),
        ({"no": "op"}, 4002),
    ],
)
async def test_bad_frames_close_the_connection_with_discords_code(sandbox, frame, code):
    async with aiohttp.ClientSession() as http, http.ws_connect(sandbox.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json(frame)
        await socket.receive()

        assert socket.close_code == code


async def test_a_silent_client_is_closed_with_4009():
    async with (
        SandboxDiscord(heartbeat_interval_s=0.02) as sandbox,
        aiohttp.ClientSession() as http,
        http.ws_connect(sandbox.gateway_url) as socket,
    ):
        await socket.receive_json()
        await socket.receive()

        assert socket.close_code == 4009


async def test_the_client_leaves_when_heartbeats_are_not_acknowledged(running, bot):
    async with SandboxDiscord(heartbeat_interval_s=0.1) as sandbox:
        sandbox.faults.acknowledges_heartbeats = False
        bot._connection.heartbeat_timeout = 0.3
        with redirect_discord(sandbox):
            await bot.login(sandbox.bot_token)
            connection = asyncio.create_task(bot.connect())
            await sandbox.log.wait_until(
                lambda: any(c.detail == "disconnected" for c in sandbox.log.changes) or None,
                timeout_s=10,
                what="the client to give the connection up",
            )
            sandbox.faults.acknowledges_heartbeats = True
            await resumed(sandbox)
            await bot.close()
            await connection


async def test_a_zlib_stream_is_one_stream_over_all_frames(sandbox):
    decompressor = discord.utils._ZlibDecompressionContext()
    url = f"{sandbox.gateway_url}?v=10&encoding=json&compress=zlib-stream"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        hello = decompressor.decompress(await socket.receive_bytes())
        identify = {"token": sandbox.bot_token, "intents": 1}
        await socket.send_json({"op": 2, "d": identify})
        ready = decompressor.decompress(await socket.receive_bytes())

    assert '"heartbeat_interval": 41250' in hello
    assert '"READY"' in ready


async def test_the_bot_notices_that_it_was_kicked(sandbox, running, bot):
    async with running(bot):
        left = bot.wait_for("guild_remove", timeout=5)
        sandbox.kick_bot()

        assert (await left).id == sandbox.guild_id
        assert sandbox.user("operator").commands() == []
        with pytest.raises(discord.Forbidden):
            await bot.tree.sync(guild=bot.home)


async def test_the_bot_notices_a_deleted_channel(sandbox, running, bot):
    async with running(bot):
        deleted = bot.wait_for("guild_channel_delete", timeout=5)
        sandbox.delete_channel("general")

        assert (await deleted).name == "general"


async def test_waiting_for_a_bot_that_never_comes_ends_with_a_clear_error(sandbox):
    with pytest.raises(NeverHappened, match=r"waited 0\.01 s for the bot"):
        await sandbox.wait_until_connected(timeout_s=0.01)
