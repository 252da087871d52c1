import asyncio
import json

import pytest

from bot.services.readiness import ReadinessProbe
from data.database import Database
from data.errors import DatabaseFull
from data.storage.records import ForwardTestStatus, NewForwardTest

PATIENCE_S = 300.0


class Gateway:
    """A connection that is up or down."""

    is_connected = True
    latency_s: float | None = 0.042


class Streams:
    """Last candles as the test says."""

    def __init__(self) -> None:
        self.opens: dict[int, int | None] = {}

    def last_opens(self):
        return dict(self.opens)


class Time:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
def gateway():
    return Gateway()


@pytest.fixture
def streams():
    return Streams()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def probe(gateway, streams, database, time):
    return ReadinessProbe(
        gateway, streams, database, exchange="simulated", patience_s=PATIENCE_S, clock=time
    )


async def start(database, name="one", exchange="simulated"):
    return await database.create_forward_test(
        NewForwardTest(
            name=name, strategy="s", params={}, symbol="BTC/USDT", exchange=exchange, config={}
        )
    )


async def test_all_is_well_where_everything_works(probe, time):
    time.s += 90
    found = await probe.look()
    assert found.is_ready
    answer = found.to_json()
    assert answer["status"] == "ok"
    assert answer["reasons"] == []
    assert answer["uptime_s"] == 90
    assert answer["gateway"] == {"connected": True, "latency_ms": 42}
    assert answer["database"]["writes"] is True
    assert answer["forward_tests"]["running"] == 0
    json.dumps(answer, allow_nan=False)


async def test_a_gateway_that_is_down_is_a_reason(probe, gateway):
    gateway.is_connected, gateway.latency_s = False, None
    answer = (await probe.look()).to_json()
    assert answer["status"] == "unavailable"
    assert answer["reasons"] == ["the gateway of Discord is not connected"]
    assert answer["gateway"] == {"connected": False, "latency_ms": None}


async def test_a_test_whose_candles_come_is_fresh(probe, database, streams, time):
    test = await start(database)
    for minute in range(20):
        streams.opens = {test.id: 60_000 * minute}
        time.s += 60
        found = await probe.look()
        assert found.is_ready
    assert found.figures["forward_tests"]["running"] == 1


async def test_a_test_whose_candles_stay_away_is_a_reason_until_one_comes(
    probe, database, streams, time
):
    test = await start(database)
    streams.opens = {test.id: 60_000}
    await probe.look()
    time.s += PATIENCE_S - 1
    assert (await probe.look()).is_ready
    time.s += 1
    found = await probe.look()
    assert found.reasons == ("forward test one gets no candles",)
    assert found.figures["forward_tests"]["longest_silence_s"] == PATIENCE_S
    streams.opens = {test.id: 120_000}
    assert (await probe.look()).is_ready


async def test_a_test_that_nothing_runs_is_a_reason_after_a_while(probe, database, time):
    await start(database)
    assert (await probe.look()).is_ready
    time.s += PATIENCE_S
    assert not (await probe.look()).is_ready


async def test_paused_tests_count_and_ended_ones_do_not(probe, database, time):
    paused, stopped, faulted = [await start(database, name) for name in ("a", "b", "c")]
    await database.set_forward_test_status(paused.id, ForwardTestStatus.PAUSED)
    await database.set_forward_test_status(stopped.id, ForwardTestStatus.STOPPED)
    await database.set_forward_test_status(faulted.id, ForwardTestStatus.FAULTED, fault="x")
    await probe.look()
    time.s += PATIENCE_S
    assert (await probe.look()).reasons == ("forward test a gets no candles",)


async def test_tests_of_another_exchange_are_counted_and_no_reason(probe, database, time):
    await start(database, exchange="bybit")
    await probe.look()
    time.s += PATIENCE_S
    found = await probe.look()
    assert found.is_ready
    assert found.figures["forward_tests"]["of_other_exchanges"] == 1


async def test_a_database_that_does_not_write_is_a_reason_without_its_place(
    probe, database, tmp_path, monkeypatch
):
    async def refuse(key, value):
        raise DatabaseFull(f"{tmp_path}/jesse.db can't be written: the disk is full")

    monkeypatch.setattr(database, "set_setting", refuse)
    found = await probe.look()
    assert found.reasons == ("the database can't be written: DatabaseFull",)
    assert str(tmp_path) not in json.dumps(found.to_json())


async def test_a_database_that_never_answers_is_a_reason(probe, database, monkeypatch):
    async def hang(key, value):
        await asyncio.Event().wait()

    monkeypatch.setattr(database, "set_setting", hang)
    monkeypatch.setattr("bot.services.readiness.WRITE_TIMEOUT_S", 0.01)
    assert (await probe.look()).reasons == ("the database can't be written: TimeoutError",)


async def test_a_closed_database_is_two_reasons_and_no_error(probe, database):
    await database.close()
    found = await probe.look()
    assert len(found.reasons) == 2
