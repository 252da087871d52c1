"""A channel that is deleted and a bot that is kicked: trading goes on, and no alert is lost."""

from tests.bot.forward.conftest import until

OPENED, CLOSED = "Long BTC/USDT opened", "Long BTC/USDT closed: "


def told(place, words):
    return [e for m in place.messages for e in m.embeds if words in (e.get("title") or "")]


async def by_the_books(floor):
    closed = len(await floor.trades())
    test = await floor.desk.database.find_forward_test("one")
    return closed, closed + len(await floor.desk.database.get_open_positions(test.id))


async def in_trouble(floor):
    async def known():
        return "channel" in floor.app.forward.sender.problems

    await until(known)


async def test_alerts_of_a_deleted_channel_come_to_the_next_one_that_is_set(trading, sandbox):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(3)
        await floor.sent()
        before = len(told(floor.channel, CLOSED)), len(told(floor.channel, OPENED))
        floor.sandbox.delete_channel("research")
        await floor.minutes(5)
        await in_trouble(floor)
        assert await floor.desk.database.count_pending_messages() >= 4
        assert (await by_the_books(floor))[0] >= before[0] + 2

    async with trading(discord_channel_id=(sandbox.ids.general_channel_id,)) as floor:
        await floor.sent()
        closed, opened = await by_the_books(floor)
        general = sandbox.channel("general")
        assert len(told(general, CLOSED)) == closed - before[0]
        assert len(told(general, OPENED)) == opened - before[1]


async def test_a_kicked_bot_trades_on_and_tells_all_when_it_is_back(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    state, ids = floor.sandbox.state, floor.sandbox.ids
    member = state.members[ids.guild_id, ids.application_id]
    floor.sandbox.kick_bot()
    await floor.minutes(5)
    await in_trouble(floor)
    closed, opened = await by_the_books(floor)
    assert len(told(floor.channel, CLOSED)) < closed

    state.members[ids.guild_id, ids.application_id] = member
    await floor.sandbox.gateway.drop()
    await floor.sent()

    assert len(told(floor.channel, CLOSED)) == closed
    assert len(told(floor.channel, OPENED)) == opened
    # A thread that the bot may not write in is passed over: the channel has it all.
    assert len(told(floor.thread("one"), CLOSED)) <= closed
