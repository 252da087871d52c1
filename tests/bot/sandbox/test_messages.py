import io

import discord
import pytest

from bot.sandbox.errors import NotOffered
from bot.sandbox.permissions import Permission


async def test_a_repeated_nonce_returns_the_first_message(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        first = await channel.send("alert", nonce="key-1")
        again = await channel.send("alert", nonce="key-1")
        other = await channel.send("alert", nonce="key-2")

    assert first.id == again.id != other.id
    assert len(sandbox.channel("research").messages) == 2


async def test_an_answer_lost_on_the_way_posts_once_with_a_nonce(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        sandbox.faults.lose_answer_next(method="POST", path="/messages$")
        await channel.send("alert", nonce="key-1")

    assert [message.content for message in sandbox.channel("research").messages] == ["alert"]


async def test_messages_are_sent_edited_fetched_listed_pinned_and_deleted(sandbox, running, bot):
    sandbox.allow_bot("research", Permission.MANAGE_MESSAGES)
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        messages = [await channel.send(f"message {number}") for number in range(3)]
        file = discord.File(io.BytesIO(b"x"), "x.txt")
        await messages[0].edit(content="changed", attachments=[file])
        await messages[1].delete()
        await messages[2].pin()
        reply = await messages[0].reply("an answer")
        fetched = await channel.fetch_message(messages[0].id)
        history = [message.content async for message in channel.history()]
        pins = [message.content async for message in channel.pins()]
        async with channel.typing():
            pass

    assert fetched.content == "changed"
    assert fetched.attachments[0].filename == "x.txt"
    assert history == ["an answer", "message 2", "changed"]
    assert pins == ["message 2"]
    assert reply.reference.message_id == messages[0].id
    versions = sandbox.channel("research").history(messages[0].id)
    assert [version.content for version in versions] == ["message 0", "changed"]
    assert "typing" in [change.kind for change in sandbox.log.changes]


async def test_missing_permissions_and_access_are_told_apart(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        sandbox.deny_bot("research", Permission.SEND_MESSAGES)
        with pytest.raises(discord.Forbidden) as no_right:
            await channel.send("x")
        sandbox.deny_bot("research", Permission.ATTACH_FILES)
        with pytest.raises(discord.Forbidden) as no_files:
            await channel.send(file=discord.File(io.BytesIO(b"x"), "x.txt"))
        sandbox.deny_bot("research", Permission.VIEW_CHANNEL)
        with pytest.raises(discord.Forbidden) as no_sight:
            await channel.send("x")
        sandbox.delete_channel("research")
        with pytest.raises(discord.NotFound) as gone:
            await channel.send("x")

    codes = [caught.value.code for caught in (no_right, no_files, no_sight, gone)]
    assert codes == [50013, 50013, 50001, 10003]


async def test_an_ephemeral_message_is_unknown_to_the_bot_token(sandbox, running, bot):
    @bot.tree.command(description="Whisper")
    async def whisper(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("secret", ephemeral=True)
        message = await interaction.original_response()
        try:
            await interaction.channel.get_partial_message(message.id).edit(content="x")
        except discord.NotFound as error:
            await interaction.edit_original_response(content=f"code {error.code}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("whisper")
        await answer.wait_for(lambda message: message.content == "code 10008")


async def test_threads_start_from_a_message_and_without_one(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        message = await channel.send("run 7")
        thread = await message.create_thread(name="Run 7 details")
        await thread.send("trade 1")
        with pytest.raises(discord.HTTPException) as twice:
            await message.create_thread(name="again")
        public = await channel.create_thread(name="Daily", type=discord.ChannelType.public_thread)
        await public.edit(archived=True)

    view = sandbox.channel("research")
    assert [thread.channel.name for thread in view.threads] == ["Run 7 details", "Daily"]
    assert view.threads[0].messages[0].content == "trade 1"
    assert view.messages[0].thread_id == message.id == thread.id
    assert twice.value.code == 160004
    assert view.threads[1].channel.archived


async def test_a_webhook_posts_with_its_own_name(sandbox, running, bot):
    async with running(bot):
        hook = discord.Webhook.from_url(sandbox.webhook_url, client=bot)
        sent = await hook.send("alert", username="Watcher", wait=True)
        await hook.edit_message(sent.id, content="alert, twice")
        wrong = discord.Webhook.partial(hook.id, "wrong", client=bot)
        with pytest.raises(discord.HTTPException) as refused:
            await wrong.send("x")

    message = sandbox.channel("research").messages[0]
    assert (message.author, message.content) == ("Watcher", "alert, twice")
    assert refused.value.code == 50027


async def test_mentions_notify_only_whom_the_bot_allows(sandbox, running, bot):
    operator = sandbox.user("operator").user
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        text = f"@everyone <@{operator.id}> <@&{sandbox.operator_role_id}>"
        await channel.send(text)
        everything = discord.AllowedMentions.all()
        await channel.send(text, allowed_mentions=everything)

    quiet, loud = sandbox.channel("research").messages
    assert quiet.pinged_ids == ()
    assert not quiet.pings_everyone
    assert loud.pinged_ids == (operator.id, sandbox.operator_role_id)
    assert loud.pings_everyone


async def test_a_users_message_reaches_the_bot_without_its_text(sandbox, running, bot):
    async with running(bot):
        heard = bot.wait_for("message", timeout=5)
        await sandbox.user("viewer").send("private words")
        message = await heard
        direct = bot.wait_for("message", timeout=5)
        await sandbox.user("viewer").at_dm().send("hello bot")

        assert message.author.name == "viewer"
        assert message.content == ""
        assert (await direct).content == "hello bot"


async def test_a_user_can_not_write_in_another_guild(sandbox):
    with pytest.raises(NotOffered, match="can't write in #lobby"):
        await sandbox.user("viewer").at("lobby").send("x")


async def test_the_bot_can_open_direct_messages(sandbox, running, bot):
    async with running(bot):
        user = await bot.fetch_user(sandbox.user("operator").user.id)
        await user.send("psst")

    assert sandbox.direct_messages("operator").messages[0].content == "psst"
