"""Routes that a bot uses now and then, called through discord.py."""

import discord
import pytest

from bot.sandbox.models import UploadedFile
from bot.sandbox.permissions import Permission


async def test_guilds_channels_roles_members_and_users_can_be_fetched(sandbox, running, bot):
    operator = sandbox.user("operator").user
    async with running(bot):
        guilds = [guild.name async for guild in bot.fetch_guilds(with_counts=False)]
        guild = await bot.fetch_guild(sandbox.guild_id, with_counts=False)
        channels = [channel.name for channel in await guild.fetch_channels()]
        roles = [role.name for role in await guild.fetch_roles()]
        member = await guild.fetch_member(operator.id)
        application = await bot.application_info()
        with pytest.raises(discord.NotFound):
            await bot.fetch_user(1)
        with pytest.raises(discord.NotFound):
            await guild.fetch_member(sandbox.user("stranger").user.id)

    assert guilds == ["Jesse Lab", "Other Guild"]
    assert channels == ["research", "general"]
    assert roles == ["@everyone", "Operator", "Admin", "Jesse"]
    assert [role.id for role in member.roles if role.name == "Operator"] == [
        sandbox.operator_role_id
    ]
    assert application.id == sandbox.ids.application_id


async def test_the_cache_is_filled_when_the_client_is_ready(sandbox, running, bot):
    async with running(bot):
        await bot.wait_until_ready()
        guild = bot.get_guild(sandbox.guild_id)
        channel = guild.get_channel(sandbox.channel_id)
        rights = channel.permissions_for(guild.me)
        found = await guild.query_members(user_ids=[sandbox.ids.viewer_id])

    assert rights.send_messages
    assert not rights.manage_messages
    assert [member.name for member in found] == ["viewer"]


async def test_the_gateways_address_is_told(sandbox, running, bot):
    async with running(bot):
        shards, url, limits = await bot.http.get_bot_gateway()

    assert (shards, url) == (1, sandbox.gateway_url)
    assert limits["remaining"] == 1000


async def test_single_commands_are_handled_by_the_api(sandbox, running, bot):
    async with running(bot):
        payload = {"name": "one", "description": "One", "type": 1}
        made = await bot.http.upsert_global_command(bot.application_id, payload)
        await bot.http.edit_global_command(bot.application_id, made["id"], {"name": "uno"})
        listed = await bot.http.get_global_commands(bot.application_id)
        await bot.http.delete_global_command(bot.application_id, made["id"])
        rest = await bot.http.get_global_commands(bot.application_id)

    assert [command["name"] for command in listed] == ["uno"]
    assert rest == []


async def test_webhooks_need_the_right_to_manage_them(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        with pytest.raises(discord.Forbidden):
            await channel.webhooks()
        sandbox.allow_bot("research", Permission.MANAGE_WEBHOOKS)
        made = await channel.create_webhook(name="Alerts")
        message = await made.send("hi", wait=True)
        await made.send("not waited for")
        await message.edit(content="hi again")
        fetched = await made.fetch_message(message.id)
        await made.delete_message(message.id)
        names = [hook.name for hook in await channel.webhooks()]
        again = await bot.fetch_webhook(made.id)

    assert fetched.content == "hi again"
    assert names == ["Jesse alerts", "Alerts"]
    assert again.token == made.token
    assert [m.content for m in sandbox.channel("research").messages] == ["not waited for"]


async def test_a_webhook_can_post_into_a_thread_of_its_channel(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        thread = await (await channel.send("x")).create_thread(name="Details")
        hook = discord.Webhook.from_url(sandbox.webhook_url, client=bot)
        await hook.send("inside", thread=thread)
        with pytest.raises(discord.NotFound):
            await hook.send("x", thread=discord.Object(sandbox.ids.general_channel_id))

    assert [m.content for m in sandbox.channel("Details").messages] == ["inside"]


async def test_history_is_paged_and_messages_deleted_in_bulk(sandbox, running, bot):
    user = sandbox.user("viewer")
    ids = [(await user.send(str(number))).id for number in range(6)]
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)

        async def texts(**options):
            return [message.content async for message in channel.history(**options)]

        assert await texts(limit=2) == ["5", "4"]
        assert await texts(limit=2, before=discord.Object(ids[2])) == ["1", "0"]
        assert await texts(limit=2, after=discord.Object(ids[2])) == ["3", "4"]
        assert await texts(limit=3, around=discord.Object(ids[2])) == ["3", "2", "1"]
        with pytest.raises(discord.Forbidden):
            await channel.delete_messages([discord.Object(i) for i in ids[:3]])
        with pytest.raises(discord.Forbidden):
            await channel.get_partial_message(ids[0]).delete()
        with pytest.raises(discord.HTTPException) as not_own:
            await channel.get_partial_message(ids[0]).edit(content="x")
        sandbox.allow_bot("research", Permission.MANAGE_MESSAGES)
        await channel.delete_messages([discord.Object(i) for i in ids[:3]])
        sandbox.deny_bot("research", Permission.READ_MESSAGE_HISTORY)
        assert await texts() == []

    assert not_own.value.code == 50005
    assert [m.content for m in sandbox.channel("research").messages] == ["3", "4", "5"]


async def test_a_reply_to_a_missing_message_is_refused(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        message = await channel.send("x")
        await message.delete()
        with pytest.raises(discord.HTTPException, match="Unknown message"):
            await message.reply("y")
        lenient = message.to_reference(fail_if_not_exists=False)
        assert (await channel.send("z", reference=lenient)).reference is None


async def test_threads_are_listed_joined_and_deleted_with_the_right_to(sandbox, running, bot):
    async with running(bot):
        channel = await bot.fetch_channel(sandbox.channel_id)
        thread = await (await channel.send("x")).create_thread(name="T")
        await thread.join()
        await thread.edit(name="T2", archived=True)
        archived = [found.name async for found in channel.archived_threads()]
        active = await (await bot.fetch_guild(sandbox.guild_id)).active_threads()
        with pytest.raises(discord.HTTPException):
            await (await channel.send("y")).create_thread(name="x" * 101)
        with pytest.raises(discord.Forbidden):
            await channel.create_thread(name="secret")
        with pytest.raises(discord.Forbidden):
            await thread.delete()
        with pytest.raises(discord.Forbidden):
            await channel.edit(topic="new")
        sandbox.allow_bot("research", Permission.MANAGE_THREADS, Permission.MANAGE_CHANNELS)
        await thread.delete()
        await channel.edit(topic="new")

    assert archived == ["T2"]
    assert active == []
    assert sandbox.channel("research").threads == []
    assert sandbox.channel("research").channel.topic == "new"


async def test_an_uploaded_file_can_be_read_by_the_bot(sandbox, running, bot):
    @bot.tree.command(description="Import")
    async def load(interaction: discord.Interaction, file: discord.Attachment) -> None:
        data = await file.read()
        await interaction.response.send_message(f"{file.filename}: {data.decode()}")

    async with running(bot):
        upload = UploadedFile("a.csv", b"1,2", "text/csv")
        answer = await sandbox.user("operator").slash("load", file=upload)
        message = await answer.first_response()

    assert message.content == "a.csv: 1,2"


async def test_an_original_answer_can_be_deleted(sandbox, running, bot):
    @bot.tree.command(description="Vanish")
    async def vanish(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        await interaction.delete_original_response()

    async with running(bot):
        answer = await sandbox.user("operator").slash("vanish")
        assert await answer.finished() is None

    assert answer.versions[0].loading
