import io

import discord
import pytest

from bot.sandbox.errors import InteractionFailed, InvalidInput, NotOffered


async def test_a_slash_command_is_answered_with_text_and_embed(sandbox, running, bot):
    @bot.tree.command(description="Say hello")
    async def hello(interaction: discord.Interaction, name: str) -> None:
        embed = discord.Embed(title="Greeting").add_field(name="who", value=name)
        await interaction.response.send_message(f"Hello {name}", embed=embed)

    async with running(bot):
        answer = await sandbox.user("operator").slash("hello", name="Ada")
        message = await answer.first_response()

    assert message.content == "Hello Ada"
    assert message.embeds[0]["fields"][0]["value"] == "Ada"
    assert "who: Ada" in message.text
    assert answer.acknowledged_after_s == 0
    assert sandbox.channel("research").messages == [message]


async def test_a_deferred_answer_is_filled_by_a_follow_up_and_edited_with_a_file(
    sandbox, running, bot
):
    @bot.tree.command(description="Take long")
    async def work(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        first = await interaction.followup.send("working", wait=True)
        embed = discord.Embed(title="done").set_image(url="attachment://chart_1.png")
        file = discord.File(io.BytesIO(b"picture"), "chart 1.png")
        await first.edit(content="ready", embed=embed, attachments=[file])
        table = discord.File(io.BytesIO(b"a,b"), "trades.csv", description="all trades")
        await interaction.followup.send("more", file=table)

    async with running(bot):
        answer = await sandbox.user("viewer").slash("work")
        await answer.wait_for(lambda message: message.content == "more")

    thinking, working, ready = answer.versions
    assert thinking.loading
    assert not thinking.content
    assert working.content == "working"
    assert ready.content == "ready"
    assert ready.attachments[0].data == b"picture"
    assert ready.attachments[0].filename == "chart_1.png"
    assert ready.embeds[0]["image"]["url"] == ready.attachments[0].url
    assert ready.broken_images == []
    assert answer.followups[0].attachments[0].description == "all trades"
    assert answer.stage == "answered"


async def test_an_attachment_is_served_over_http_and_replaced_by_an_edit(sandbox, running, bot):
    seen = []

    @bot.tree.command(description="Replace a file")
    async def swap(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(file=discord.File(io.BytesIO(b"old"), "a.txt"))
        message = await interaction.original_response()
        seen.append(await message.attachments[0].read())
        file = discord.File(io.BytesIO(b"new"), "b.txt")
        edited = await interaction.edit_original_response(attachments=[file])
        seen.append(await edited.attachments[0].read())
        await interaction.edit_original_response(content="read")

    async with running(bot):
        answer = await sandbox.user("operator").slash("swap")
        message = await answer.wait_for(lambda m: m.content == "read")

    assert seen == [b"old", b"new"]
    assert [file.filename for file in message.attachments] == ["b.txt"]


async def test_an_ephemeral_answer_is_seen_by_its_user_only(sandbox, running, bot):
    @bot.tree.command(description="Whisper")
    async def whisper(interaction: discord.Interaction) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send("secret")

    async with running(bot):
        answer = await sandbox.user("operator").slash("whisper")
        message = await answer.wait_for(lambda m: m.content == "secret")

    assert message.ephemeral
    assert [m.content for m in sandbox.user("operator").messages()] == ["secret"]
    assert sandbox.user("viewer").messages() == []
    assert sandbox.channel("research").messages == []


async def test_embeds_over_the_limits_are_refused_and_the_bot_can_still_answer(
    sandbox, running, bot
):
    @bot.tree.command(description="Too much")
    async def huge(interaction: discord.Interaction) -> None:
        embeds = [discord.Embed(description="x" * 3500) for _ in range(2)]
        try:
            await interaction.response.send_message(embeds=embeds)
        except discord.HTTPException as error:
            assert not interaction.response.is_done()
            await interaction.response.send_message(f"{error.status} {error.code} {error.text}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("huge")
        message = await answer.first_response()

    assert message.content.startswith("400 50035 Invalid Form Body")
    assert "Embed size exceeds maximum size of 6000" in message.content
    assert [refusal.code for refusal in answer.refusals] == [50035]


async def test_an_answer_after_three_seconds_is_refused(sandbox, running, bot, clock):
    @bot.tree.command(description="Sleep")
    async def slow(interaction: discord.Interaction) -> None:
        clock.advance(3.0)
        await interaction.response.send_message("too late")

    async with running(bot):
        answer = await sandbox.user("operator").slash("slow")
        with pytest.raises(InteractionFailed, match="did not respond"):
            await answer.first_response()
        failure = await bot.failures.get()

    assert failure.original.code == 10062
    assert [refusal.code for refusal in answer.refusals] == [10062]
    assert sandbox.channel("research").messages == []


async def test_an_answer_just_before_three_seconds_is_taken(sandbox, running, bot, clock):
    @bot.tree.command(description="Sleep")
    async def brisk(interaction: discord.Interaction) -> None:
        clock.advance(2.5)
        await interaction.response.send_message("in time")

    async with running(bot):
        answer = await sandbox.user("operator").slash("brisk")
        message = await answer.first_response()

    assert message.content == "in time"
    assert answer.acknowledged_after_s == pytest.approx(2.5)


async def test_a_bot_that_never_answers_is_shown_as_failed(sandbox, running, bot, clock):
    @bot.tree.command(description="Say nothing")
    async def mute(interaction: discord.Interaction) -> None:
        clock.advance(3.1)

    async with running(bot):
        answer = await sandbox.user("operator").slash("mute")
        with pytest.raises(InteractionFailed, match="nothing came from the bot"):
            await answer.first_response()


async def test_a_second_acknowledgement_is_refused(sandbox, running, bot):
    codes = []

    @bot.tree.command(description="Answer twice")
    async def twice(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("first")
        interaction.response._response_type = None
        try:
            await interaction.response.send_message("second")
        except discord.HTTPException as error:
            codes.append((error.status, error.code))
        await interaction.edit_original_response(content="end")

    async with running(bot):
        answer = await sandbox.user("operator").slash("twice")
        await answer.wait_for(lambda message: message.content == "end")

    assert codes == [(400, 40060)]


async def test_a_token_dies_after_fifteen_minutes(sandbox, running, bot, clock):
    @bot.tree.command(description="Edit late")
    async def patient(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("started")
        message = await interaction.original_response()
        clock.advance(899)
        await interaction.edit_original_response(content="still editable")
        clock.advance(1)
        try:
            await interaction.edit_original_response(content="never")
        except discord.HTTPException as error:
            channel = interaction.channel
            await channel.get_partial_message(message.id).edit(
                content=f"by bot token after {error.status} {error.code}"
            )

    async with running(bot):
        answer = await sandbox.user("operator").slash("patient")
        message = await answer.wait_for(lambda m: m.content.startswith("by bot token"))

    assert message.content == "by bot token after 401 50027"
    assert "still editable" in [version.content for version in answer.versions]


async def test_thinking_for_fifteen_minutes_ends_as_failed(sandbox, running, bot, clock):
    @bot.tree.command(description="Think")
    async def think(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        clock.advance(900)

    async with running(bot):
        answer = await sandbox.user("operator").slash("think")
        with pytest.raises(InteractionFailed):
            await answer.finished()


async def test_a_follow_up_before_the_answer_is_refused(sandbox, running, bot):
    @bot.tree.command(description="Wrong order")
    async def early(interaction: discord.Interaction) -> None:
        try:
            await interaction.followup.send("too early")
        except discord.NotFound as error:
            await interaction.response.send_message(f"code {error.code}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("early")
        message = await answer.first_response()

    assert message.content == "code 10015"


async def test_follow_ups_can_be_edited_fetched_and_deleted(sandbox, running, bot):
    @bot.tree.command(description="Many messages")
    async def many(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("one")
        two = await interaction.followup.send("two", wait=True)
        three = await interaction.followup.send("three", wait=True)
        await two.edit(content="two again")
        await three.delete()
        fetched = await interaction.followup.fetch_message(two.id)
        await interaction.edit_original_response(content=f"fetched {fetched.content}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("many")
        await answer.wait_for(lambda m: m.content == "fetched two again")

    assert [message.content for message in answer.messages] == ["fetched two again", "two again"]


async def test_an_empty_answer_is_refused(sandbox, running, bot):
    @bot.tree.command(description="Nothing")
    async def nothing(interaction: discord.Interaction) -> None:
        try:
            await interaction.response.send_message()
        except discord.HTTPException as error:
            await interaction.response.send_message(f"code {error.code}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("nothing")
        message = await answer.first_response()

    assert message.content == "code 50006"


async def test_a_file_over_ten_mebibytes_is_refused(sandbox, running, bot):
    @bot.tree.command(description="Heavy")
    async def heavy(interaction: discord.Interaction) -> None:
        file = discord.File(io.BytesIO(bytes(interaction.filesize_limit + 1)), "big.bin")
        try:
            await interaction.response.send_message(file=file)
        except discord.HTTPException as error:
            await interaction.response.send_message(f"{error.status} {error.code}")

    async with running(bot):
        answer = await sandbox.user("operator").slash("heavy")
        message = await answer.first_response()

    assert message.content == "413 40005"


async def test_options_are_validated_before_the_bot_hears_of_them(sandbox, running, bot):
    @bot.tree.command(description="Pick")
    @discord.app_commands.choices(side=[discord.app_commands.Choice(name="Long", value="long")])
    async def pick(
        interaction: discord.Interaction,
        side: str,
        count: discord.app_commands.Range[int, 1, 10],
        rate: float | None = None,
        who: discord.Member | None = None,
        where: discord.TextChannel | None = None,
    ) -> None:
        parts = (side, count, rate, who and who.name, where and where.name)
        await interaction.response.send_message(str(parts))

    user = sandbox.user("operator")
    async with running(bot):
        for wrong, words in (
            ({"count": 1}, "'side' is required"),
            ({"side": "short", "count": 1}, "takes one of"),
            ({"side": "long", "count": 11}, "takes 1 to 10"),
            ({"side": "long", "count": "1"}, "whole number"),
            ({"side": "long", "count": 1, "hue": 1}, "no option"),
            ({"side": "long", "count": 1, "who": "nobody"}, "can't find"),
        ):
            with pytest.raises(InvalidInput, match=words):
                await user.slash("pick", **wrong)
        answer = await user.slash(
            "pick", side="Long", count=2, rate=1, who="viewer", where="general"
        )
        message = await answer.first_response()

    assert message.content == "('long', 2, 1.0, 'viewer', 'general')"


async def test_sub_commands_are_reached_by_their_path(sandbox, running, bot):
    group = discord.app_commands.Group(name="forward", description="Forward tests")

    @group.command(description="Start one")
    async def start(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(f"started {name}")

    bot.tree.add_command(group)
    async with running(bot):
        answer = await sandbox.user("operator").slash("forward start", name="x")
        message = await answer.first_response()
        with pytest.raises(NotOffered, match="start"):
            await sandbox.user("operator").slash("forward explode")

    assert message.content == "started x"


async def test_a_command_works_in_direct_messages_when_it_is_global(sandbox, running, bot):
    @bot.tree.command(description="Anywhere")
    async def anywhere(interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"guild {interaction.guild_id}")

    async with running(bot):
        await bot.tree.sync()
        answer = await sandbox.user("viewer").at_dm().slash("anywhere")
        message = await answer.first_response()

    assert message.content == "guild None"
    assert sandbox.direct_messages("viewer").messages == [message]


async def test_commands_are_offered_by_guild_and_by_default_permissions(sandbox, running, bot):
    @bot.tree.command(description="For admins")
    @discord.app_commands.default_permissions(manage_guild=True)
    async def manage(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("ok")

    async with running(bot):
        assert [c.name for c in sandbox.user("admin").commands()] == ["manage"]
        assert sandbox.user("viewer").commands() == []
        assert sandbox.user("stranger").commands() == []
        with pytest.raises(NotOffered, match="isn't offered /manage"):
            await sandbox.user("viewer").slash("manage")


async def test_autocompletion_returns_what_the_bot_suggests(sandbox, running, bot):
    async def suggest(interaction, current):
        names = ["ma_crossover", "momentum", "breakout"]
        choice = discord.app_commands.Choice
        return [choice(name=n.title(), value=n) for n in names if n.startswith(current)]

    @bot.tree.command(description="Backtest")
    @discord.app_commands.autocomplete(strategy=suggest)
    async def backtest(interaction: discord.Interaction, strategy: str) -> None:
        await interaction.response.send_message(strategy)

    async with running(bot):
        user = sandbox.user("operator")
        choices = await user.autocomplete("backtest", option="strategy", typed="m")

    assert [choice.value for choice in choices] == ["ma_crossover", "momentum"]
    assert choices[0].name == "Ma_Crossover"


async def test_more_than_25_suggestions_are_refused(sandbox, running, bot):
    async def suggest(interaction, current):
        return [discord.app_commands.Choice(name=str(n), value=str(n)) for n in range(26)]

    @bot.tree.command(description="Backtest")
    @discord.app_commands.autocomplete(strategy=suggest)
    async def backtest(interaction: discord.Interaction, strategy: str) -> None:
        await interaction.response.send_message(strategy)

    async with running(bot):
        with pytest.raises(InteractionFailed, match="50035"):
            await sandbox.user("operator").autocomplete("backtest", option="strategy")
