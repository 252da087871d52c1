"""A summary says what the book of a period adds up to."""

import json
from collections.abc import AsyncIterator

import pytest

from bot.services.summaries import Period, Summaries, books_of, read_curve, total_of
from data.database import Database
from data.storage.records import (
    EquityMark,
    ForwardEvent,
    ForwardTestStatus,
    NewForwardTest,
    NewMessage,
)
from engine.orders import ExitReason, Position, Side, Trade

DAY_MS = 86_400_000
START = 1_704_067_200_000
DAY = Period(START, START + DAY_MS)


class Clock:
    """Tells the time that a test has set, in ms."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def database(tmp_path, clock) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "jesse.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def summaries(database):
    return Summaries(database, lambda test_id: None)


@pytest.fixture
def make_test(database):
    async def make(name="one", began=START - DAY_MS, balance=10_000.0):
        config = {"warm_up_from": began, "started_at": began, "initial_balance": balance}
        return await database.create_forward_test(
            NewForwardTest(
                name=name,
                strategy="eager",
                params={},
                symbol="BTC/USDT",
                exchange="simulated",
                config=config,
            )
        )

    return make


def trade(number, closed_at, pnl):
    return Trade(
        number, Side.LONG, closed_at - 60_000, 100.0, closed_at, 101.0, 1.0, 100.0, pnl, pnl, 0.1,
        ExitReason.SIGNAL,
    )  # fmt: skip


async def mark(database, test, *marks):
    told = tuple(EquityMark(START + minute * 60_000, equity) for minute, equity in marks)
    await database.save_equity_marks(test.id, told)


async def test_equity_changes_from_where_it_stood_before_the_period(database, summaries, make_test):
    test = await make_test()
    await mark(database, test, (-5, 9_000.0), (0, 10_000.0), (1, 11_000.0), (2, 9_900.0))
    await mark(database, test, (1440, 10_500.0), (1441, 99_999.0))

    [book] = (await summaries.sum_up(DAY)).tests

    assert (book.before, book.equity, book.change) == (10_000.0, 10_500.0, 500.0)
    assert book.change_percent == pytest.approx(5.0)
    assert book.drawdown_pct == pytest.approx(-10.0)


async def test_a_test_that_began_in_the_period_began_with_its_balance(
    database, summaries, make_test
):
    test = await make_test(began=START + 3_600_000, balance=2_000.0)
    await mark(database, test, (61, 1_990.0), (62, 2_010.0))

    [book] = (await summaries.sum_up(DAY)).tests
    curve = await read_curve(database, test, DAY)

    assert (book.before, book.change) == (2_000.0, 10.0)
    assert book.drawdown_pct == pytest.approx(-0.5)
    assert curve.time.tolist() == [START + minute * 60_000 for minute in (60, 61, 62)]


async def test_trades_of_the_period_are_counted_and_others_are_not(database, summaries, make_test):
    test = await make_test()
    ends = (START, START + 1, START + 60_000, START + DAY_MS, START + DAY_MS + 1)
    for number, (closed_at, pnl) in enumerate(
        zip(ends, (1.0, 2.0, -4.0, 8.0, 16.0), strict=True), start=1
    ):
        await database.save_trade(test.id, trade(number, closed_at, pnl))
    await mark(database, test, (1, 10_000.0))

    [book] = (await summaries.sum_up(DAY)).tests

    assert (book.trades, book.won, book.pnl) == (3, 2, 6.0)


async def test_faults_stalls_and_outages_are_counted(database, summaries, make_test, clock):
    test = await make_test()
    await mark(database, test, (1, 10_000.0))
    for number, (kind, channel) in enumerate(
        [("fault", "test"), ("stall", "test"), ("stall", "test"), ("stall", "channel")]
    ):
        clock.now = START + 1_000 * (number + 1)
        message = NewMessage(
            dedupe_key=f"k{number}", kind=kind, channel=channel, payload={}, test_id=test.id
        )
        await database.append_message(message)
    await database.save_event(test.id, ForwardEvent(START + 5, "stream_down", {"reason": "x"}))
    await database.save_event(test.id, ForwardEvent(START + 9, "stream_up", {}))

    [book] = (await summaries.sum_up(DAY)).tests

    assert (book.faults, book.stalls, book.outages) == (1, 2, 1)


async def test_open_positions_without_a_price_have_no_profit(database, summaries, make_test):
    test = await make_test()
    await database.save_position(
        test.id, Position(1, Side.LONG, START, 100.0, 1.0, 100.0, 0.05, 0.0, None, None)
    )

    [book] = (await summaries.sum_up(DAY)).tests

    assert (book.positions, book.unrealized) == (1, None)


@pytest.mark.parametrize(
    ("status", "stopped_minute", "is_told"),
    [
        ("running", None, True),
        ("paused", None, True),
        ("faulted", None, False),
        ("stopped", -1, False),
        ("stopped", 60, False),
    ],
)
async def test_without_equity_only_a_test_that_runs_is_told(
    database, summaries, make_test, clock, status, stopped_minute, is_told
):
    test = await make_test()
    clock.now = START + 60_000 * (stopped_minute or 0)
    fault = "it broke" if status == "faulted" else None
    await database.set_forward_test_status(test.id, ForwardTestStatus(status), fault=fault)

    assert (await summaries.sum_up(DAY) is not None) is is_told


async def test_one_that_was_stopped_in_the_period_is_told_and_one_before_is_not(
    database, summaries, make_test, clock
):
    for name, minute in (("earlier", -10), ("at its start", 0), ("within", 10)):
        test = await make_test(name)
        clock.now = START + minute * 60_000
        await database.set_forward_test_status(test.id, ForwardTestStatus.STOPPED)
        await mark(database, test, (-20, 10_000.0), (5, 10_001.0))

    summary = await summaries.sum_up(DAY)

    assert [(book.test, book.status) for book in summary.tests] == [("within", "stopped")]


async def test_a_test_that_was_stopped_ends_with_what_its_last_positions_brought(
    database, summaries, make_test, clock
):
    test = await make_test()
    await mark(database, test, (1, 10_000.0), (60, 10_100.0))
    last = START + 59 * 60_000
    # Closed between two candles: no mark tells of the exit's price and fee.
    await database.save_portfolio(test.id, balance=10_040.0, equity=10_040.0, last_candle_time=last)
    clock.now = START + 60 * 60_000 + 17_000
    await database.set_forward_test_status(test.id, ForwardTestStatus.STOPPED)
    stopped = await database.get_forward_test(test.id)

    [book] = (await summaries.sum_up(DAY)).tests
    [earlier] = (await summaries.sum_up(Period(START - DAY_MS, START + 60 * 60_000))).tests
    curve = await read_curve(database, stopped, DAY)

    assert (book.equity, earlier.equity) == (10_040.0, 10_100.0)
    assert (curve.time[-1], curve.equity[-1]) == (clock.now, 10_040.0)
    assert (book.no_candles_since, earlier.no_candles_since) == (None, None)


@pytest.mark.parametrize(
    ("last_minute", "since_minute"), [(1440, None), (1436, None), (1434, 1434), (-3, 0)]
)
async def test_where_candles_end_early_the_summary_says_so(
    database, summaries, make_test, last_minute, since_minute
):
    test = await make_test()
    await mark(database, test, (-5, 10_000.0), (last_minute, 10_010.0), (1441, 9_000.0))

    [book] = (await summaries.sum_up(DAY)).tests

    expected = None if since_minute is None else START + since_minute * 60_000
    assert book.no_candles_since == expected


async def test_one_that_began_later_is_not_told(summaries, make_test):
    await make_test(began=START + DAY_MS)

    assert await summaries.sum_up(DAY) is None


async def test_nothing_is_told_where_there_is_no_test(summaries):
    assert await summaries.sum_up(DAY) is None


async def test_a_summary_survives_its_way_through_the_outbox(database, summaries, make_test):
    for name, equity in (("one", 10_100.0), ("two", 9_700.0)):
        await mark(database, await make_test(name), (10, equity))
    summary = await summaries.sum_up(DAY)

    payload = json.loads(json.dumps(summary.to_json()))

    assert books_of(payload) == list(summary.tests)
    total = total_of(books_of(payload))
    assert (total.before, total.equity, total.change) == (20_000.0, 19_800.0, -200.0)
    assert total.change_percent == pytest.approx(-1.0)
