"""Positions, trades, portfolio, strategy state, equity and events of a forward test."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from data.database import EquityMark, ForwardEvent, StoredPortfolio, StoredTrade
from data.errors import RecordConflict, UnknownRecord, UnstorableValue
from engine.orders import ExitReason, Position, Side, Trade


async def test_positions_come_back_to_the_last_bit_in_opening_order(
    database, test_id, make_position
):
    first = make_position(1)
    tenth = make_position(10, side=Side.SHORT, stop_loss=None, take_profit=math.pi)
    second = make_position(2, entry_slippage=5e-324)
    for position in (tenth, first, second):
        await database.save_position(test_id, position)

    assert await database.get_open_positions(test_id) == [first, second, tenth]


async def test_saving_a_position_again_replaces_it_and_deleting_forgets_it(
    database, test_id, make_position
):
    await database.save_position(test_id, make_position())
    moved = make_position(stop_loss=95.0)

    await database.save_position(test_id, moved)
    assert await database.get_open_positions(test_id) == [moved]
    await database.delete_position(test_id, moved.id)
    await database.delete_position(test_id, moved.id)
    assert await database.get_open_positions(test_id) == []


@pytest.mark.parametrize("reason", list(ExitReason))
async def test_trades_come_back_to_the_last_bit(database, test_id, make_trade, reason):
    trade = make_trade(exit_reason=reason, ambiguous=False, stop_loss=1e300, take_profit=None)

    await database.save_trade(test_id, trade, recovered=True)

    assert await database.get_trades(test_id) == [StoredTrade(test_id, trade, recovered=True)]


def distinct_values(record_type, fixed):
    """Give each field a value of its own, so that two that are swapped are noticed."""
    values = {}
    for number, field in enumerate(fields(record_type), start=1):
        kind = str(field.type)
        values[field.name] = number if kind.startswith("<class 'int'") else number + 0.5
    return values | fixed


async def test_no_field_of_a_position_or_trade_is_lost_or_swapped(database, test_id):
    position = Position(**distinct_values(Position, {"side": Side.SHORT}))
    trade = Trade(
        **distinct_values(
            Trade, {"side": Side.LONG, "exit_reason": ExitReason.END, "ambiguous": True}
        )
    )

    await database.save_position(test_id, position)
    await database.save_trade(test_id, trade)

    assert await database.get_open_positions(test_id) == [position]
    assert [stored.trade for stored in await database.get_trades(test_id)] == [trade]


async def test_numbers_of_numpy_are_stored_as_plain_ones(
    database, test_id, make_position, make_trade
):
    plain = make_trade(2, entry_time=5, pnl=1.25)
    await database.save_trade(
        test_id,
        replace(plain, entry_time=np.int64(5), pnl=np.float64(1.25), ambiguous=np.bool_(True)),
    )
    await database.save_position(test_id, make_position(entry_time=np.int64(7)))

    [stored] = await database.get_trades(test_id)
    [position] = await database.get_open_positions(test_id)
    assert stored.trade == plain
    assert (type(stored.trade.entry_time), type(position.entry_time)) == (int, int)


async def test_a_trade_is_stored_once(database, test_id, make_trade):
    await database.save_trade(test_id, make_trade())
    await database.save_trade(test_id, make_trade(), recovered=True)

    assert await database.get_trades(test_id) == [StoredTrade(test_id, make_trade())]
    assert await database.count_trades(test_id) == 1


async def test_another_trade_of_the_same_id_is_refused(database, test_id, make_trade):
    await database.save_trade(test_id, make_trade())

    with pytest.raises(RecordConflict, match="trade 1 of forward test 1 is stored with other"):
        await database.save_trade(test_id, make_trade(pnl=-2.6))

    assert await database.get_trades(test_id) == [StoredTrade(test_id, make_trade())]


async def test_trades_are_paged_in_the_order_of_closing(database, test_id, make_trade):
    for trade_id in (3, 1, 2, 5, 4):
        await database.save_trade(test_id, make_trade(trade_id))

    async def ids(*page, **order):
        return [stored.trade.id for stored in await database.get_trades(test_id, *page, **order)]

    assert await ids() == [3, 1, 2, 5, 4]
    assert await ids(2) == [3, 1]
    assert await ids(2, 2) == [2, 5]
    assert await ids(2, 1, newest_first=True) == [5, 2]
    assert await ids(None, 4) == [4]


async def test_tests_do_not_see_each_other(
    database, test_id, make_new_test, make_trade, make_position
):
    other = (await database.create_forward_test(make_new_test("other"))).id
    await database.save_trade(test_id, make_trade())
    await database.save_trade(other, make_trade(pnl=7.0))
    await database.save_position(test_id, make_position())

    assert [stored.trade.pnl for stored in await database.get_trades(other)] == [7.0]
    assert await database.get_open_positions(other) == []
    await database.delete_position(other, 1)
    assert len(await database.get_open_positions(test_id)) == 1


async def test_portfolio_and_state_are_replaced_whole(database, test_id):
    assert await database.get_portfolio(test_id) is None
    assert await database.get_strategy_state(test_id) is None

    await database.save_portfolio(test_id, balance=1.0, equity=2.0, last_candle_time=None)
    await database.save_strategy_state(test_id, {"a": 1, "b": [math.inf, -0.0]})
    assert await database.get_portfolio(test_id) == StoredPortfolio(test_id, 1.0, 2.0, None)
    assert await database.get_strategy_state(test_id) == {"a": 1, "b": [math.inf, -0.0]}

    await database.save_portfolio(test_id, balance=3.0, equity=4.0, last_candle_time=5)
    await database.save_strategy_state(test_id, {"c": None})
    assert await database.get_portfolio(test_id) == StoredPortfolio(test_id, 3.0, 4.0, 5)
    assert await database.get_strategy_state(test_id) == {"c": None}


async def test_an_equity_curve_is_read_by_time_and_range(database, test_id):
    empty = await database.get_equity_curve(test_id)
    await database.save_equity_marks(test_id, (EquityMark(300, 3.0), EquityMark(100, 1.0)))
    await database.save_equity_marks(test_id, (EquityMark(200, 2.0), EquityMark(300, 3.5)))

    whole = await database.get_equity_curve(test_id)
    part = await database.get_equity_curve(test_id, since=200, until=300)

    assert (empty.time.tolist(), empty.equity.tolist()) == ([], [])
    assert (whole.time.dtype, whole.equity.dtype) == (np.int64, np.float64)
    assert (whole.time.tolist(), whole.equity.tolist()) == ([100, 200, 300], [1.0, 2.0, 3.5])
    assert (part.time.tolist(), part.equity.tolist()) == ([200], [2.0])


async def test_events_are_stored_once_and_read_newest_first(database, test_id):
    outage = ForwardEvent(10, "outage", {"seconds": 4})
    late = ForwardEvent(30, "late_candle")
    again = ForwardEvent(20, "outage", {"seconds": 5})
    for event in (outage, late, again, outage):
        await database.save_event(test_id, event)

    assert await database.get_events(test_id) == [late, again, outage]
    assert await database.get_events(test_id, kind="outage", limit=1) == [again]
    assert await database.get_events(test_id, kind="outage", limit=1, offset=1) == [outage]


async def test_a_book_needs_its_test(database, make_position, make_trade):
    for save in (
        database.save_position(99, make_position()),
        database.save_trade(99, make_trade()),
        database.save_portfolio(99, balance=1.0, equity=1.0, last_candle_time=None),
        database.save_strategy_state(99, {}),
        database.save_equity_marks(99, (EquityMark(1, 1.0),)),
        database.save_event(99, ForwardEvent(1, "x")),
    ):
        with pytest.raises(UnknownRecord, match="forward test that isn't stored"):
            await save


async def test_what_is_not_a_number_is_refused(database, test_id, make_trade):
    with pytest.raises(UnstorableValue, match="pnl"):
        await database.save_trade(test_id, make_trade(pnl=math.nan))
    with pytest.raises(UnstorableValue, match=r"state can't be stored.*int64"):
        await database.save_strategy_state(test_id, {"n": np.int64(1)})

    assert await database.get_trades(test_id) == []
    assert await database.get_strategy_state(test_id) is None
