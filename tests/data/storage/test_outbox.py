"""The outbox: once, in order, again after a failure."""

import pytest

from data.database import NewMessage
from data.errors import UnknownRecord


def message(key, channel="42", **changes):
    return NewMessage(dedupe_key=key, kind="trade", channel=channel, payload={"k": key}, **changes)


@pytest.fixture
async def filled(database):
    for key in ("a1", "a2", "a3"):
        await database.append_message(message(key, "a"))
    for key in ("b1", "b2"):
        await database.append_message(message(key, "b"))
    return database


async def take(database, limit=20):
    return {one.dedupe_key: one.id for one in await database.take_due_messages(limit)}


async def test_a_message_comes_back_as_it_was_given(database, test_id, clock):
    assert await database.append_message(message("x", test_id=test_id))

    [stored] = await database.take_due_messages()

    assert (stored.dedupe_key, stored.kind, stored.channel) == ("x", "trade", "42")
    assert (stored.payload, stored.test_id) == ({"k": "x"}, test_id)
    assert (stored.created_at, stored.next_attempt_at, stored.attempts) == (clock.now, clock.now, 0)
    assert (stored.sent_at, stored.abandoned_at, stored.last_error) == (None, None, None)


async def test_a_message_of_a_known_key_is_not_stored_again(database):
    assert await database.append_message(message("x"))
    assert not await database.append_message(message("x", "other"))
    [stored] = await database.take_due_messages()
    await database.mark_message_sent(stored.id)

    assert not await database.append_message(message("x"))
    assert await database.count_pending_messages() == 0


async def test_messages_are_taken_in_order_until_they_are_sent(filled):
    first = await take(filled, limit=2)
    assert list(first) == ["a1", "a2"]
    assert list(await take(filled)) == ["a1", "a2", "a3", "b1", "b2"]

    for message_id in first.values():
        await filled.mark_message_sent(message_id)

    assert list(await take(filled)) == ["a3", "b1", "b2"]
    assert await filled.count_pending_messages() == 3


async def test_no_message_overtakes_a_failed_one_of_its_channel(filled, clock):
    ids = await take(filled)
    await filled.mark_message_sent(ids["a1"])
    next_attempt = await filled.mark_message_failed(ids["a2"], "HTTP 503")

    assert next_attempt == clock.now + 1_000
    assert list(await take(filled)) == ["b1", "b2"]
    clock.now = next_attempt - 1
    assert list(await take(filled)) == ["b1", "b2"]
    clock.now = next_attempt
    [again, *_] = await filled.take_due_messages()
    assert (again.dedupe_key, again.attempts, again.last_error) == ("a2", 1, "HTTP 503")
    assert list(await take(filled)) == ["a2", "a3", "b1", "b2"]


async def test_the_pause_doubles_up_to_five_minutes(database, clock):
    await database.append_message(message("x"))
    [stored] = await database.take_due_messages()

    pauses = [await database.mark_message_failed(stored.id, "no") - clock.now for _ in range(40)]

    assert pauses[:9] == [1_000 * 2**n for n in range(9)]
    assert set(pauses[9:]) == {300_000}
    assert await database.mark_message_failed(stored.id, "429", retry_after_ms=7) == clock.now + 7


async def test_an_abandoned_message_lets_those_behind_it_go_on(filled):
    ids = await take(filled)
    await filled.mark_message_failed(ids["a1"], "HTTP 500")

    await filled.abandon_message(ids["a1"], "unknown channel")

    assert list(await take(filled)) == ["a2", "a3", "b1", "b2"]
    assert await filled.count_pending_messages() == 4


async def test_a_sender_learns_when_to_wake(filled, clock):
    ids = await take(filled)
    assert await filled.next_message_due_at() == clock.now
    for key in ("a1", "b1"):
        await filled.mark_message_failed(ids[key], "no", retry_after_ms=500 if key == "a1" else 900)

    assert await filled.next_message_due_at() == clock.now + 500
    for message_id in ids.values():
        await filled.mark_message_sent(message_id)
    assert await filled.next_message_due_at() is None


async def test_marking_twice_keeps_the_first_time_and_an_unknown_one_is_an_error(filled, clock):
    ids = await take(filled)
    await filled.mark_message_sent(ids["a1"])
    sent_at = clock.now
    clock.now += 10
    await filled.mark_message_sent(ids["a1"])

    assert await filled.delete_sent_messages(before=sent_at) == 0
    assert await filled.delete_sent_messages(before=sent_at + 1) == 1
    for change in (
        filled.mark_message_sent(99),
        filled.mark_message_failed(99, "no"),
        filled.abandon_message(99, "no"),
    ):
        with pytest.raises(UnknownRecord, match="no message 99"):
            await change


async def test_a_muted_message_is_not_pending_blocks_nothing_and_stays_on_record(filled, clock):
    ids = await take(filled)
    await filled.mark_message_failed(ids["a1"], "HTTP 503")

    await filled.mute_messages([ids["a1"], ids["b2"]], "alerts of this kind are off")

    assert list(await take(filled)) == ["a2", "a3", "b1"]
    assert await filled.count_pending_messages() == 3
    stored = await filled.get_message(ids["a1"])
    assert (stored.muted_at, stored.sent_at) == (clock.now, None)
    assert stored.last_error == "alerts of this kind are off"
    assert not await filled.append_message(message("a1", "a"))
    assert await filled.get_message(99) is None


async def test_what_was_sent_is_not_muted_afterwards(filled):
    ids = await take(filled)
    await filled.mark_message_sent(ids["a1"])

    await filled.mute_messages([ids["a1"]], "off")

    assert (await filled.get_message(ids["a1"])).muted_at is None


async def test_what_was_sent_muted_or_given_up_is_forgotten_and_what_waits_is_not(filled, clock):
    ids = await take(filled)
    await filled.mark_message_sent(ids["a1"])
    await filled.mute_messages([ids["a2"]], "off")
    await filled.abandon_message(ids["b1"], "unknown channel")
    clock.now += 1

    assert await filled.delete_sent_messages(before=clock.now) == 3

    assert list(await take(filled)) == ["a3", "b2"]


@pytest.mark.parametrize("status", ["running", "paused", "faulted", "stopped"])
async def test_the_newest_step_of_a_living_test_keeps_its_keys(database, test_id, clock, status):
    for step in range(3):
        clock.now += 10
        for place in range(2):
            await database.append_message(message(f"{step}:{place}", test_id=test_id))
    for one in await database.take_due_messages():
        await database.mark_message_sent(one.id)
    await database.append_message(message("waits", "elsewhere", test_id=test_id))
    fault = "it broke" if status == "faulted" else None
    await database.set_forward_test_status(test_id, status, fault=fault)
    clock.now += 1

    count = await database.delete_sent_messages(before=clock.now)

    known = [
        key
        for key in ("0:0", "0:1", "1:0", "1:1", "2:0", "2:1", "waits")
        if not await database.append_message(message(key, test_id=test_id))
    ]
    alive = ["2:0", "2:1"] if status != "stopped" else []
    assert known == [*alive, "waits"]
    assert count == 6 - len(alive)


async def test_pending_messages_are_there_after_a_restart(database, path, clock):
    await database.append_message(message("x"))
    await database.close()

    await database.initialize()

    assert list(await take(database)) == ["x"]


async def test_what_waits_can_be_made_due_at_once(filled, clock):
    first = (await take(filled))["a1"]
    await filled.mark_message_failed(first, "away", retry_after_ms=60_000)
    assert list(await take(filled)) == ["b1", "b2"]

    assert await filled.retry_messages_now() == 1

    assert await filled.next_message_due_at() <= clock.now
    assert list(await take(filled)) == ["a1", "a2", "a3", "b1", "b2"]
    assert await filled.retry_messages_now() == 0
