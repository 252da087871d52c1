import discord
import pytest

from bot.sandbox.errors import DiscordError


def definition(name="backtest", **changes):
    return {"name": name, "description": "Test a strategy", "type": 1, **changes}


async def test_syncing_again_keeps_the_ids_of_known_names(sandbox, running, bot):
    @bot.tree.command(description="One")
    async def one(interaction: discord.Interaction) -> None: ...

    async with running(bot):
        first = {c.name: c.id for c in await bot.tree.sync(guild=bot.home)}

        @bot.tree.command(description="Two", guild=bot.home)
        async def two(interaction: discord.Interaction) -> None: ...

        second = {c.name: c.id for c in await bot.tree.sync(guild=bot.home)}
        fetched = await bot.tree.fetch_command(second["two"], guild=bot.home)

    assert second["one"] == first["one"]
    assert set(second) == {"one", "two"}
    assert sandbox.commands.created == 2
    assert fetched.description == "Two"


async def test_a_bad_definition_is_a_sync_failure(sandbox, running, bot):
    async with running(bot):

        @bot.tree.command(description="x" * 101)
        async def wordy(interaction: discord.Interaction) -> None: ...

        with pytest.raises(discord.app_commands.CommandSyncFailure, match="between 1 and 100"):
            await bot.tree.sync()


async def test_a_command_in_both_scopes_is_offered_twice(sandbox):
    sandbox.commands.overwrite(None, [definition()])
    sandbox.commands.overwrite(sandbox.guild_id, [definition()])

    assert [c.guild_id for c in sandbox.user("viewer").commands()] == [sandbox.guild_id, None]
    assert [c.guild_id for c in sandbox.user("stranger").commands()] == [None]


async def test_an_empty_overwrite_erases_the_scope(sandbox):
    sandbox.commands.overwrite(sandbox.guild_id, [definition()])
    sandbox.commands.overwrite(sandbox.guild_id, [])

    assert sandbox.user("viewer").commands() == []


async def test_one_command_can_be_added_changed_and_deleted(sandbox):
    register = sandbox.commands
    added = register.upsert(None, definition())
    replaced = register.upsert(None, definition(description="Other"))
    edited = register.edit(None, added.id, {"name": "test"})

    assert added.id == replaced.id == edited.id
    assert [command.name for command in register.listed(None)] == ["test"]
    register.delete(None, added.id)
    with pytest.raises(DiscordError, match="10063"):
        register.get(None, added.id)


@pytest.mark.parametrize(
    ("changes", "in_guild", "in_dm"),
    [
        ({}, True, True),
        ({"contexts": [0]}, True, False),
        ({"contexts": [1]}, False, True),
        ({"dm_permission": False}, True, False),
    ],
)
async def test_contexts_decide_where_a_command_is_offered(sandbox, changes, in_guild, in_dm):
    sandbox.commands.overwrite(None, [definition(**changes)])
    user = sandbox.user("viewer")

    assert bool(user.commands()) is in_guild
    assert bool(user.at_dm().commands()) is in_dm


async def test_permission_zero_leaves_a_command_to_administrators(sandbox):
    sandbox.commands.overwrite(None, [definition(default_member_permissions="0")])

    assert sandbox.user("owner").commands()
    assert not sandbox.user("admin").commands()
