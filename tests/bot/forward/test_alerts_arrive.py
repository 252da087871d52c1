"""Alerts arrive, whatever happens: restarts, Discord down, threads gone, strategies that raise."""

import pytest

from bot.delivery import CHANNEL
from bot.sandbox.permissions import Permission
from data.database import NewMessage

OPENED, CLOSED = "Long BTC/USDT opened", "Long BTC/USDT closed: "


def count(place, words):
    return sum(words in (e.get("title") or "") for m in place.messages for e in m.embeds)


async def expected_alerts(floor, name="one"):
    """How many positions were closed, and how many opened, by the books."""
    closed = len(await floor.trades(name))
    test = await floor.desk.database.find_forward_test(name)
    return closed, closed + len(await floor.desk.database.get_open_positions(test.id))


async def test_a_restart_in_the_middle_loses_nothing_and_tells_nothing_twice(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(7)
        await floor.sent()
        anchors = len(floor.channel.threads)
    async with trading() as floor:
        await floor.minutes(6)
        await floor.sent()

        closed, opened = await expected_alerts(floor)
        assert closed >= 5
        for place in (floor.channel, floor.thread("one")):
            assert count(place, CLOSED) == closed
            assert count(place, OPENED) == opened
        assert len(floor.channel.threads) == anchors
        assert sum("Forward test one" in m.text for m in floor.channel.messages) == 1


async def test_candles_missed_while_away_are_told_in_one_message(trading, market_clock):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(2)
    await market_clock.advance_to(market_clock.now_ms() + 30 * 60_000)
    async with trading() as floor:
        await floor.sent()
        told = await floor.channel.wait_for_message(lambda m: "Back after a restart" in m.text)
        assert "**one**: 30 candles" in told.text
        await floor.sent()
        closed, _ = await expected_alerts(floor)
        recovered = [stored for stored in await floor.trades() if stored.recovered]
        assert len(recovered) >= 14
        digest = [m for m in floor.channel.messages if "alerts at once" in m.text]
        single = count(floor.channel, CLOSED)
        assert single == closed or digest
        every = "\n".join(m.text for m in floor.channel.messages)
        assert "recovered" in every


async def test_while_discord_is_down_trading_goes_on_and_everything_comes_later(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(2)
        await floor.sent()
        async with floor.sandbox.outage():
            await floor.minutes(6)
            closed, opened = await expected_alerts(floor)
            assert closed >= 3
            assert count(floor.channel, CLOSED) < closed
        await floor.sent()

        for place in (floor.channel, floor.thread("one")):
            assert count(place, CLOSED) == closed
            assert count(place, OPENED) == opened


async def test_lost_answers_and_server_errors_show_nothing_twice(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    faults = floor.sandbox.faults
    for _ in range(3):
        faults.lose_answer_next(1, method="POST", path=r"/messages$")
        faults.fail_next(1, status=503, method="POST", path=r"/messages$")
        await floor.minutes(2)
    await floor.sent()

    closed, opened = await expected_alerts(floor)
    for place in (floor.channel, floor.thread("one")):
        assert count(place, CLOSED) == closed
        assert count(place, OPENED) == opened


async def test_a_lost_answer_before_a_restart_is_not_repeated(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(1)
        await floor.sent()
        # All tries of the library: each arrives, no answer does.
        floor.sandbox.faults.lose_answer_next(5, method="POST", path=r"/messages$")
        await floor.minutes(1)
        await floor.channel.wait_for_message(lambda m: CLOSED in m.text)
    floor.sandbox.faults.clear()
    async with trading() as floor:
        await floor.sent()
        closed, opened = await expected_alerts(floor)
        assert count(floor.channel, CLOSED) == closed
        assert count(floor.channel, OPENED) == opened


async def test_without_permission_for_threads_the_channel_has_it_all(floor):
    floor.sandbox.deny_bot("research", Permission.CREATE_PUBLIC_THREADS)
    await floor.start()
    await floor.minutes(4)
    await floor.sent()

    assert floor.channel.threads == []
    closed, opened = await expected_alerts(floor)
    assert (count(floor.channel, CLOSED), count(floor.channel, OPENED)) == (closed, opened)
    await floor.app.forward.board.show_all()
    shown = await floor.channel.wait_for_message(lambda m: "Last candle" in m.text)
    assert "Equity" in shown.text


async def test_a_deleted_thread_is_made_anew(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    old = floor.thread("one").id
    floor.sandbox.delete_channel(old)
    await floor.minutes(1)
    await floor.sent()

    new = floor.thread("one")
    assert new.id != old
    assert count(new, CLOSED) == 1
    await new.wait_for_message(lambda m: m.pinned)


async def test_a_deleted_status_message_is_made_anew(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    thread = floor.thread("one")
    first = await thread.wait_for_message(lambda m: m.pinned)
    state = floor.sandbox.state
    state.remove_message(state.messages[first.id])
    await floor.minutes(1)

    again = await thread.wait_for_message(lambda m: "Last candle" in m.text, after=first.id)
    assert again.id != first.id


async def test_missing_permissions_and_back_again_lose_nothing(floor):
    await floor.start()
    await floor.minutes(1)
    await floor.sent()
    floor.sandbox.deny_bot("research", Permission.SEND_MESSAGES)
    await floor.minutes(3)
    closed, opened = await expected_alerts(floor)
    assert count(floor.channel, CLOSED) < closed
    floor.sandbox.allow_bot("research", Permission.PIN_MESSAGES)
    await floor.sent()

    assert (count(floor.channel, CLOSED), count(floor.channel, OPENED)) == (closed, opened)


async def test_a_strategy_that_raises_is_told_with_its_line_and_can_be_resumed(floor):
    await floor.start(params="fails=true")
    await floor.minutes(4)
    await floor.sent()

    told = await floor.channel.wait_for_message(lambda m: "is faulted" in m.text)
    assert "out of ideas" in told.text
    assert "eager.py" in told.text
    assert "/forward resume test:one" in told.text
    assert count(floor.channel, "is faulted") == 1
    status = await (await floor.user("viewer").slash("forward status")).finished()
    assert "faulted" in status.text
    message = await (await floor.user("operator").slash("forward resume")).finished()
    assert message.ephemeral


async def test_a_fault_that_the_end_of_the_process_kept_from_being_told_is_told(trading):
    async with trading() as floor:
        await floor.start()
        await floor.minutes(1)
        await floor.sent()
        test = await floor.desk.database.find_forward_test("one")
        await floor.desk.database.set_forward_test_status(test.id, "faulted", fault="it broke")
    for _ in range(2):
        async with trading() as floor:
            await floor.channel.wait_for_message(lambda m: "it broke" in m.text)
            await floor.sent()
            assert count(floor.channel, "is faulted") == 1


@pytest.mark.parametrize("kind", ["pause", "resume"])
async def test_who_paused_it_is_told(floor, kind):
    await floor.start()
    await (await floor.user("operator").slash("forward pause")).finished()
    if kind == "resume":
        await (await floor.user("operator").slash("forward resume")).finished()
    await floor.sent()

    words = "Forward test one paused" if kind == "pause" else "Forward test one goes on"
    told = await floor.channel.wait_for_message(lambda m: words in m.text)
    assert f"<@{floor.sandbox.ids.operator_id}>" in told.text


async def test_silence_is_told_once_and_its_end_too(running, market_clock, monkeypatch, trading):
    seconds = [0.0]
    monkeypatch.setattr("bot.forward_parts.monotonic", lambda: seconds[0])
    async with trading() as floor:
        await floor.start()
        await floor.minutes(1)
        for _ in range(3):
            await floor.look_after_tests()
            seconds[0] += 301
        await floor.sent()
        assert count(floor.channel, "No candles for one") == 1
        await floor.minutes(1)
        await floor.look_after_tests()
        await floor.sent()
        assert count(floor.channel, "Candles for one again") == 1


@pytest.mark.parametrize("code", [1001, 4009])
async def test_a_new_connection_sends_at_once_what_waits_for_its_next_attempt(floor, code):
    database = floor.desk.database
    payload = {"title": "Notice", "text": "waited long", "is_problem": False}
    # Not told to the sender, as if it had failed for hours.
    late = NewMessage(dedupe_key="late", kind="note", channel=CHANNEL, payload=payload)
    await database.append_message(late)
    [waiting] = await database.take_due_messages()
    await database.mark_message_failed(waiting.id, "away", retry_after_ms=3_600_000)

    await floor.sandbox.gateway.drop(code)

    await floor.channel.wait_for_message(lambda m: "waited long" in m.text)
    await floor.sent()
