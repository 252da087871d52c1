"""Forward tests as they are stored, found and changed."""

from dataclasses import replace

import pytest

from data.database import ForwardTest, ForwardTestStatus
from data.errors import RecordConflict, UnknownRecord, UnstorableValue


async def test_a_new_test_comes_back_as_it_was_given(database, make_new_test, clock):
    new = make_new_test(
        "Größe ½",
        params={"fast": 1, "deep": {"list": [1.5, None, True]}},
        channel_id=2**62 + 1,
        thread_id=7,
        created_by=9,
    )

    created = await database.create_forward_test(new)

    assert created == ForwardTest(
        id=created.id,
        name="Größe ½",
        strategy="ma_crossover",
        params={"fast": 1, "deep": {"list": [1.5, None, True]}},
        symbol="BTCUSDT",
        exchange="simulated",
        config={"initial_balance": 10_000.0},
        status=ForwardTestStatus.RUNNING,
        fault=None,
        created_at=clock.now,
        started_market_time=None,
        stopped_at=None,
        channel_id=2**62 + 1,
        thread_id=7,
        status_message_id=None,
        created_by=9,
    )
    assert await database.get_forward_test(created.id) == created
    assert await database.find_forward_test("Größe ½") == created


async def test_a_name_is_given_once(database, make_new_test):
    await database.create_forward_test(make_new_test("a"))

    with pytest.raises(RecordConflict, match="there is a forward test 'a': choose another name"):
        await database.create_forward_test(make_new_test("a"))

    assert len(await database.list_forward_tests()) == 1


async def test_tests_are_listed_by_status_oldest_first(database, make_new_test):
    first, second, third = [
        await database.create_forward_test(make_new_test(name)) for name in ("c", "a", "b")
    ]
    await database.set_forward_test_status(second.id, ForwardTestStatus.PAUSED)

    running = await database.list_forward_tests([ForwardTestStatus.RUNNING])

    assert [test.name for test in await database.list_forward_tests()] == ["c", "a", "b"]
    assert [test.id for test in running] == [first.id, third.id]
    assert await database.list_forward_tests([]) == []


async def test_a_status_brings_its_fault_and_its_time_of_stopping(database, make_new_test, clock):
    created = await database.create_forward_test(make_new_test())

    async def set_status(status, **fault):
        await database.set_forward_test_status(created.id, status, **fault)
        return await database.get_forward_test(created.id)

    faulted = await set_status(ForwardTestStatus.FAULTED, fault="on_candle raised")
    clock.now += 5
    stopped = await set_status(ForwardTestStatus.STOPPED)
    running = await set_status(ForwardTestStatus.RUNNING)

    assert faulted == replace(
        created, status=ForwardTestStatus.FAULTED, fault="on_candle raised", stopped_at=None
    )
    assert stopped == replace(created, status=ForwardTestStatus.STOPPED, stopped_at=clock.now)
    assert running == created


@pytest.mark.parametrize(
    ("status", "fault"), [(ForwardTestStatus.FAULTED, None), (ForwardTestStatus.RUNNING, "why")]
)
async def test_a_fault_belongs_to_faulted_tests_only(database, test_id, status, fault):
    with pytest.raises(UnstorableValue):
        await database.set_forward_test_status(test_id, status, fault=fault)


async def test_places_and_times_are_noted(database, test_id):
    before = await database.get_forward_test(test_id)

    await database.set_forward_test_channel(test_id, channel_id=1, thread_id=2)
    await database.set_status_message(test_id, 3)
    await database.set_started_market_time(test_id, 4)

    assert await database.get_forward_test(test_id) == replace(
        before, channel_id=1, thread_id=2, status_message_id=3, started_market_time=4
    )


async def test_an_unknown_test_is_none_to_find_and_an_error_to_change(database):
    assert await database.get_forward_test(99) is None
    assert await database.find_forward_test("nobody") is None
    for change in (
        database.set_forward_test_status(99, ForwardTestStatus.PAUSED),
        database.set_forward_test_channel(99, channel_id=None, thread_id=None),
        database.set_status_message(99, 1),
        database.set_started_market_time(99, 1),
    ):
        with pytest.raises(UnknownRecord, match="there is no forward test 99"):
            await change


async def test_parameters_that_json_can_not_hold_are_refused(database, make_new_test):
    with pytest.raises(UnstorableValue, match=r"the parameters of first can't be stored.*object"):
        await database.create_forward_test(make_new_test(params={"x": object()}))

    assert await database.list_forward_tests() == []
