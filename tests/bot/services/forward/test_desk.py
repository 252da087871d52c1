"""How the desk looks after forward tests: which it resumes, when it asks again, what it tells."""

import asyncio
import logging
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from bot.errors import InvalidInput
from bot.services.forward import compose
from bot.services.forward.desk import ForwardDesk, ForwardUnavailable
from bot.services.forward.session import ForwardConfig
from bot.settings import Settings
from data.database import Database
from data.errors import ExchangeUnavailable
from data.storage.records import ForwardTestStatus, NewForwardTest

START = 1_704_067_200_000
ATTEND_S, HEARTBEAT_S = 15.0, 600.0


class News:
    """Remembers what it is told."""

    def __init__(self):
        self.failed, self.stalls = [], []

    def on_connection(self, alert):
        raise AssertionError("no connection is open")

    async def on_stall(self, notice):
        self.stalls.append((notice.test.name, notice.silent_s))

    async def on_attended(self, failed):
        self.failed.append([test.name for test in failed])


class Service:
    """Resumes what it can: tests that are `lost` stay away."""

    def __init__(self, database):
        self.database = database
        self.lost, self.running, self.recoveries = set(), [], 0
        self.on_start = None

    def runners(self):
        return self.running

    async def recover(self):
        self.recoveries += 1
        alive = await self.database.list_forward_tests()
        known = {runner.session.test.id for runner in self.running}
        self.running += [
            make_runner(test)
            for test in alive
            if test.name not in self.lost and test.id not in known
        ]
        return [test for test in alive if test.name in self.lost]

    async def start(self, ask):
        return await self.on_start(ask)


def make_runner(test):
    portfolio = SimpleNamespace(equity=10_000.0, positions=[])
    session = SimpleNamespace(
        test=test, last_open_time=None, engine=SimpleNamespace(portfolio=portfolio)
    )
    return SimpleNamespace(session=session, fault=None, backlog=0)


def new_test(name, exchange="simulated", strategy="own"):
    return NewForwardTest(
        name=name,
        strategy=strategy,
        params={},
        symbol="BTC/USDT",
        exchange=exchange,
        config=ForwardConfig(START - 3_600_000, START).to_json(),
    )


class Clock:
    """A monotonic time that a test moves."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def news():
    return News()


@pytest.fixture
def service(database):
    return Service(database)


@pytest.fixture
def desk(tmp_path, database, news, clock):
    settings = Settings.load(None, exchange="simulated", data_dir=tmp_path)
    return ForwardDesk(settings, database, news, clock=clock, attend_s=ATTEND_S)


@pytest.fixture
async def opened(desk, service, monkeypatch):
    """The desk while it runs, its service up."""

    @asynccontextmanager
    async def open_forward(settings, database, watcher, **options):
        yield service

    monkeypatch.setattr(compose, "open_forward", open_forward)
    running = asyncio.create_task(desk.run())
    async with asyncio.timeout(10):
        while not desk._news.failed:  # noqa: ASYNC110 - until it has looked once
            await asyncio.sleep(0.001)
    yield desk
    running.cancel()
    await asyncio.wait([running])


async def test_before_the_service_is_up_a_command_is_told_to_try_again(desk):
    with pytest.raises(ForwardUnavailable, match="try again in a moment"):
        _ = desk.service
    assert desk.runners() == []


async def test_a_test_that_can_not_be_resumed_is_asked_for_again_less_and_less_often(
    desk, service, database, clock
):
    await database.create_forward_test(new_test("away"))
    service.lost = {"away"}
    asked_at = []
    for _ in range(40):
        before = service.recoveries
        await desk.look_after(service)
        if service.recoveries > before:
            asked_at.append((clock.now_s - 100.0) / ATTEND_S)
        clock.now_s += ATTEND_S

    assert asked_at == [0, 1, 3, 7, 15, 31]


async def test_another_test_that_goes_missing_is_resumed_at_once(desk, service, database, clock):
    await database.create_forward_test(new_test("away"))
    service.lost = {"away"}
    for _ in range(3):
        await desk.look_after(service)
    assert service.recoveries == 1
    await database.create_forward_test(new_test("fresh"))
    await desk.look_after(service)

    assert service.recoveries == 2
    assert [runner.session.test.name for runner in service.running] == ["fresh"]


async def test_only_what_waiting_will_not_mend_is_told_and_only_once(
    desk, service, database, clock, news
):
    await database.create_forward_test(new_test("waits"))
    await database.create_forward_test(new_test("elsewhere", exchange="binance"))
    service.lost = {"waits", "elsewhere"}
    for _ in range(3):
        await desk.look_after(service)
        clock.now_s += 1_000.0

    assert service.recoveries == 3
    assert news.failed == [["elsewhere"], [], []]


async def test_how_tests_stand_is_logged_now_and_then_and_a_stall_told_once(
    desk, service, database, clock, news, caplog
):
    await database.create_forward_test(new_test("steady"))
    with caplog.at_level(logging.INFO, "bot.services.forward.desk"):
        for _ in range(5):
            await desk.look_after(service)
            clock.now_s += HEARTBEAT_S / 2

    lines = [message for message in caplog.messages if "forward test steady: equity" in message]
    assert len(lines) == 3
    assert news.stalls == [("steady", HEARTBEAT_S / 2)]


async def test_a_test_made_when_the_exchange_went_away_counts_as_started(opened, service, database):
    await database.create_forward_test(new_test("older"))

    async def make_and_lose(ask):
        await database.create_forward_test(new_test("made", strategy=ask.strategy))
        raise ExchangeUnavailable("gone")

    service.on_start = make_and_lose
    started = await opened.start(SimpleNamespace(strategy="own"))

    assert started.name == "made"


async def test_a_start_that_the_exchange_refuses_before_anything_is_made_is_an_error(
    opened, service, database
):
    await database.create_forward_test(new_test("older"))

    async def lose(ask):
        raise ExchangeUnavailable("gone")

    service.on_start = lose
    with pytest.raises(ExchangeUnavailable, match="gone"):
        await opened.start(SimpleNamespace(strategy="own"))


async def test_a_desk_that_can_not_open_the_exchange_tells_why_to_who_asks(
    desk, monkeypatch, caplog
):
    def refuse(*arguments, **options):
        raise ExchangeUnavailable("no such host")

    monkeypatch.setattr(compose, "open_forward", refuse)
    running = asyncio.create_task(desk.run())
    async with asyncio.timeout(10):
        while "no forward tests" not in caplog.text:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
    with pytest.raises(ForwardUnavailable, match="no such host"):
        _ = desk.service
    running.cancel()
    await asyncio.wait([running])


async def test_a_name_chooses_a_test_and_without_one_the_only_one_alive(desk, database):
    with pytest.raises(InvalidInput, match="no forward test yet"):
        await desk.find(None)
    first = await database.create_forward_test(new_test("first"))
    await database.set_forward_test_status(first.id, ForwardTestStatus.STOPPED)
    await database.create_forward_test(new_test("second"))

    assert (await desk.find(None)).name == "second"
    assert (await desk.find(" first ")).name == "first"
    with pytest.raises(InvalidInput, match="'third': there are second"):
        await desk.find("third")
    await database.create_forward_test(new_test("fourth"))
    with pytest.raises(InvalidInput, match="say which forward test: second, fourth"):
        await desk.find("")
