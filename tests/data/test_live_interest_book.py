"""Which open interest was known at a close, and when the newest is asked for."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as some

from data.errors import ExchangeUnavailable
from data.interest_record import InterestRecord
from data.orderflow import OPEN_INTEREST_STALE_MS
from data.streams.interest import InterestBook, LiveInterest
from data.streams.tasks import TaskOwner
from data.venues.base import Instrument, MarketKind, TimedValue
from engine.candles import Candle

MINUTE = 60_000
T = 1_700_000_100_000
BTC = Instrument("BTC/USDT:USDT", "BTCUSDT", MarketKind.PERPETUAL)


def test_the_last_value_at_or_before_the_close_is_known_at_it():
    book = InterestBook()
    assert book.at_close(T) is None
    book.observe(T - 30_000, 1.0)
    book.observe(T, 2.0)
    book.observe(T + 1, 3.0)

    assert [book.at_close(T + n * MINUTE) for n in (-1, 0, 1, 2)] == [None, 2.0, 3.0, 3.0]
    assert book.newest_ms == T + 1


def test_a_value_that_is_too_old_says_nothing_as_in_the_store():
    book = InterestBook()
    book.observe(T, 2.0)

    assert book.at_close(T + OPEN_INTEREST_STALE_MS - 1) == 2.0
    assert book.at_close(T + OPEN_INTEREST_STALE_MS) is None


def test_a_confirmed_value_is_new_again_unless_the_stream_broke_in_between():
    book = InterestBook()
    book.confirm(T)
    assert book.at_close(T) is None
    book.observe(T, 2.0)
    book.confirm(T + 50 * MINUTE)
    assert book.at_close(T + 100 * MINUTE) == 2.0
    book.interrupt()
    book.confirm(T + 100 * MINUTE)
    assert book.at_close(T + 120 * MINUTE) is None
    book.observe(T + 101 * MINUTE, 3.0)
    book.confirm(T + 160 * MINUTE)
    assert book.at_close(T + 200 * MINUTE) == 3.0


@given(some.lists(some.integers(0, 200 * MINUTE), max_size=40), some.integers(0, 200))
def test_the_book_knows_what_a_plain_search_finds(offsets, minute):
    book, told = InterestBook(), []
    for number, offset in enumerate(offsets):
        book.observe(T + offset, float(number))
        if not told or T + offset >= told[-1][0]:
            told.append((T + offset, float(number)))
    newest = told[-1][0] if told else T
    # Closes are asked for soon after they pass, never an hour late.
    close = max(T + minute * MINUTE, newest // MINUTE * MINUTE)
    latest = [(time, value) for time, value in told if time <= close]
    is_fresh = bool(latest) and close - latest[-1][0] < OPEN_INTEREST_STALE_MS
    expected = latest[-1][1] if is_fresh else None
    assert book.at_close(close) == expected


class Source:
    """Answers with the next of a list; None fails."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def is_asked_for(self, instrument):
        return instrument.kind is MarketKind.PERPETUAL

    async def newest(self, symbol):
        self.asked += 1
        answer = self.answers.pop(0)
        if answer is None:
            raise ExchangeUnavailable("no usable answer")
        return answer

    async def at_closes(self, symbol, opens):
        raise ExchangeUnavailable("no usable answer")


@pytest.fixture
async def tasks():
    owner = TaskOwner()
    yield owner
    await owner.cancel_all()


@pytest.fixture
def interest_of(tmp_path, tasks):
    def made(source):
        live = LiveInterest("binance", source, InterestRecord(tmp_path))
        return live.of("BTC/USDT:USDT", BTC, tasks, is_streamed=False)

    return made


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def flat(minute):
    return Candle(T + minute * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0)


async def test_it_is_asked_for_at_once_and_then_shortly_before_each_close(interest_of):
    source = Source(*(TimedValue(T + n, float(n)) for n in range(9)))
    interest = interest_of(source)
    asked_at = []
    for now_ms in range(T, T + 5 * MINUTE, 1000):
        before = source.asked
        interest.check(now_ms)
        await settle()
        if source.asked > before:
            asked_at.append(now_ms)

    leads = [MINUTE - at % MINUTE for at in asked_at[1:]]
    assert asked_at[0] == T
    assert len(asked_at) == 6
    assert len(set(leads)) == 1
    assert 3_000 - 1_000 <= leads[0] <= 9_000


async def test_time_that_runs_fast_or_jumps_is_followed(interest_of):
    source = Source(*(TimedValue(T, 1.0) for _ in range(9)))
    interest = interest_of(source)
    for now_ms in (T, T + 10 * MINUTE, T + 11 * MINUTE, T + 600 * MINUTE):
        interest.check(now_ms)
        await settle()

    assert source.asked == 4


async def test_no_second_question_while_the_first_is_open(interest_of, tmp_path):
    gate = asyncio.Event()

    class Slow(Source):
        async def newest(self, symbol):
            self.asked += 1
            await gate.wait()
            return TimedValue(T, 4.0)

    source = Slow()
    interest = interest_of(source)
    for minute in range(5):
        interest.check(T + minute * MINUTE)
        await settle()
    assert source.asked == 1
    gate.set()
    await settle()
    assert interest.complete(flat(0)).open_interest == 4.0


async def test_failures_are_told_once_until_it_works_again(interest_of, caplog):
    caplog.set_level("INFO")
    source = Source(None, None, TimedValue(T + MINUTE, 5.0), None)
    interest = interest_of(source)
    for minute in range(4):
        interest.check(T + minute * MINUTE)
        await settle()

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert interest.complete(flat(0)).open_interest == 5.0


async def test_an_answer_of_a_time_to_come_is_told_and_holds_none_back(interest_of, caplog):
    far = TimedValue(T + 1_000_000 * MINUTE, 9.0)
    interest = interest_of(Source(TimedValue(T, 4.0), far, far, TimedValue(T + 3 * MINUTE, 5.0)))
    known = []
    for minute in range(4):
        interest.check(T + minute * MINUTE)
        await settle()
        known.append(interest.complete(flat(minute)).open_interest)

    assert known == [4.0, 4.0, 4.0, 5.0]
    assert interest.newest_ms == T + 3 * MINUTE
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "999999 minutes ahead" in caplog.records[0].message


async def test_candles_of_rest_go_on_where_the_history_fails(interest_of):
    interest = interest_of(Source())

    candles = await interest.complete_past([flat(0), flat(1)])

    assert candles == [flat(0), flat(1)]
    # What a candle was given once it keeps, whatever is known later.
    interest.take(7.0, T)
    assert interest.complete(flat(0)).open_interest is None
    assert interest.complete(flat(2)).open_interest == 7.0


def test_spot_has_no_open_interest(tmp_path):
    live = LiveInterest("binance", Source(), InterestRecord(tmp_path))
    spot = Instrument("BTC/USDT", "BTCUSDT", MarketKind.SPOT)

    assert live.of("BTC/USDT", spot, TaskOwner(), is_streamed=False) is None
