"""What the database sums up is what its rows add up to."""

import pytest

from data.database import EquityMark, ForwardEvent, NewMessage, Tally

MINUTE_MS = 60_000


@pytest.fixture
async def closed(database, test_id, make_trade):
    """Five trades, closed at the minutes 10, 20, 30, 40 and 50; the even ones are lost."""
    trades = [
        make_trade(trade_id=number, exit_time=10 * number * MINUTE_MS, pnl=(-1) ** number * -number)
        for number in range(1, 6)
    ]
    for trade in trades:
        await database.save_trade(test_id, trade)
    return trades


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_trades_are_summed_up_to_one_of_them(database, test_id, closed, count):
    told = await database.tally_up_to(test_id, closed[count - 1].id)

    known = [trade.pnl for trade in closed[:count]]
    assert told == Tally(count, sum(pnl > 0 for pnl in known), sum(known))


async def test_the_order_is_that_of_closing_whatever_the_ids(database, test_id, make_trade):
    for number in (7, 3, 5):
        await database.save_trade(test_id, make_trade(trade_id=number, pnl=float(number)))

    assert await database.tally_up_to(test_id, 3) == Tally(2, 2, 10.0)


async def test_a_trade_that_is_not_stored_has_no_sum(database, test_id, closed):
    assert await database.tally_up_to(test_id, 99) is None
    assert await database.tally_up_to(test_id + 1, 1) is None
    assert await database.get_trade(test_id, 99) is None


async def test_one_trade_is_found(database, test_id, closed):
    found = await database.get_trade(test_id, 4)

    assert found.trade == closed[3]


async def test_a_period_has_its_end_and_not_its_start(database, test_id, closed):
    told = await database.tally_between(test_id, 10 * MINUTE_MS, 30 * MINUTE_MS)

    assert told == Tally(2, 1, 1.0)
    assert await database.tally_between(test_id, 50 * MINUTE_MS, 90 * MINUTE_MS) == Tally(0, 0, 0.0)


async def test_the_last_mark_at_a_time_is_found(database, test_id):
    marks = (EquityMark(1_000, 10.0), EquityMark(2_000, 11.0), EquityMark(3_000, 9.0))
    await database.save_equity_marks(test_id, marks)

    assert await database.get_last_mark(test_id, 999) is None
    assert await database.get_last_mark(test_id, 2_000) == marks[1]
    assert await database.get_last_mark(test_id, 2_999) == marks[1]
    assert await database.get_last_mark(test_id, 10**15) == marks[2]


async def test_events_of_a_period_are_counted_by_kind(database, test_id):
    for time in (1, 2, 3):
        await database.save_event(test_id, ForwardEvent(time, "stream_down", {"at": time}))
    await database.save_event(test_id, ForwardEvent(2, "paused"))

    assert await database.count_events(test_id, "stream_down", 1, 3) == 2
    assert await database.count_events(test_id, "stream_down", 3, 9) == 0


async def test_messages_of_a_period_are_counted_once_whatever_became_of_them(
    database, test_id, clock
):
    start = clock.now
    for number, (kind, channel) in enumerate(
        [("fault", "test"), ("fault", "channel"), ("stall", "test"), ("stall", "test")]
    ):
        clock.now += 1_000
        await database.append_message(
            NewMessage(
                dedupe_key=f"k{number}", kind=kind, channel=channel, payload={}, test_id=test_id
            )
        )
    sent = (await database.take_due_messages())[0]
    await database.mark_message_sent(sent.id)

    told = await database.count_messages(
        test_id, ("fault", "stall", "back"), "test", start, clock.now
    )
    assert told == {"fault": 1, "stall": 2}
    assert (
        await database.count_messages(test_id, ("fault",), "test", start + 1_000, clock.now) == {}
    )
