"""The audit, which only grows, and the settings."""

import pytest

from data.errors import UnstorableValue


async def note(database, number):
    await database.append_audit(
        user_id=number,
        user_name=f"user {number}",
        command="/forward start",
        options={"name": f"t{number}"},
        outcome="done",
    )


async def test_the_audit_is_read_newest_first_page_by_page(database, clock):
    for number in range(5):
        clock.now += 1
        await note(database, number)

    page = await database.list_audit(2)
    rest = await database.list_audit(before_id=page[-1].id)

    assert [entry.user_id for entry in page + rest] == [4, 3, 2, 1, 0]
    assert (page[0].time, page[0].user_name, page[0].command) == (
        clock.now,
        "user 4",
        "/forward start",
    )
    assert (page[0].options, page[0].outcome) == ({"name": "t4"}, "done")


@pytest.mark.parametrize("sql", ["DELETE FROM audit", "UPDATE audit SET outcome = 'x'"])
async def test_the_audit_can_not_be_rewritten(database, sql):
    await note(database, 1)

    with pytest.raises(UnstorableValue, match="append-only"):
        async with database.transaction() as transaction:
            await transaction._write(lambda connection: connection.execute(sql))

    assert [entry.outcome for entry in await database.list_audit()] == ["done"]


async def test_settings_are_kept_replaced_and_forgotten(database):
    assert await database.get_setting("hash") is None
    assert await database.get_setting("hash", 5) == 5

    await database.set_setting("hash", "abc")
    await database.set_setting("symbols", ["BTCUSDT", {"x": None}])
    await database.set_setting("hash", None)
    await database.delete_setting("nothing")

    assert await database.get_setting("hash", 5) is None
    assert await database.get_setting("symbols") == ["BTCUSDT", {"x": None}]
    await database.delete_setting("hash")
    assert await database.get_setting("hash", 5) == 5


async def test_a_setting_that_json_can_not_hold_is_refused(database):
    with pytest.raises(UnstorableValue, match="setting x can't be stored"):
        await database.set_setting("x", {1, 2})
