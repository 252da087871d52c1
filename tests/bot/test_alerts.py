"""What the alerter stores: a fault anew after each resumption, once however often it is noted."""

import asyncio
from types import SimpleNamespace

import pytest

from bot.alerts import FAULT, RECOVERY, DiscordAlerter, forget_told_fault
from bot.outbox import OutboxSender
from bot.repeats import RepeatLedger
from data.database import Database, NewForwardTest
from data.errors import StoreError
from data.storage.records import ForwardTestStatus
from data.streams.events import AlertKind, ConnectionAlert


class Channel:
    """Takes everything."""

    def __init__(self):
        self.messages = []

    def places(self, message):
        return ("channel",)

    def stands_alone(self, message):
        return False

    async def send(self, batch, *, plainly=False):
        self.messages += batch.messages

    async def has_arrived(self, batch, since):
        return False


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
async def test(database):
    new = NewForwardTest(
        name="one",
        strategy="eager",
        params={},
        symbol="BTC/USDT",
        exchange="simulated",
        config={},
    )
    return await database.create_forward_test(new)


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def alerter(database):
    return DiscordAlerter(database, wake=lambda: None)


async def test_the_same_fault_after_a_resumption_is_told_again_and_counted(
    database, test, alerter, channel
):
    sending = OutboxSender(database, channel)
    for _ in range(3):
        await alerter.on_error(test, "no more market data: gone")
        await sending.deliver_due()
        await forget_told_fault(database, test)

    counts = [message.payload.get("repeats", [1])[0] for message in channel.messages]
    assert counts == [1, 2, 3]


async def test_a_fault_that_is_noted_twice_at_once_is_told_once(database, test, alerter, channel):
    await asyncio.gather(*(alerter.on_error(test, "it broke") for _ in range(3)))
    await OutboxSender(database, channel).deliver_due()

    assert [message.kind for message in channel.messages] == ["fault"]
    assert await database.count_pending_messages() == 0


async def test_a_process_that_dies_while_a_fault_is_forgotten_forgets_all_or_nothing(
    database, test, alerter, channel, monkeypatch
):
    def die(ledger, prefix):
        raise asyncio.CancelledError

    await alerter.on_error(test, "it broke")
    told = f"forward:{test.id}:told_fault"
    before = await database.get_setting(told)
    with monkeypatch.context() as patched:
        patched.setattr(RepeatLedger, "let_next_pass", die)
        with pytest.raises(asyncio.CancelledError):
            await forget_told_fault(database, test)

    assert await database.get_setting(told) == before is not None
    await forget_told_fault(database, test)
    assert await database.get_setting(told) is None


class BrokenDatabase:
    """Can store nothing."""

    def __getattr__(self, name):
        def refuse(*arguments):
            raise StoreError("disk full")

        return refuse


@pytest.fixture
def runner(test):
    """What runs the test, with two positions open."""
    portfolio = SimpleNamespace(positions=[1, 2])
    return SimpleNamespace(
        session=SimpleNamespace(test=test, engine=SimpleNamespace(portfolio=portfolio))
    )


async def test_a_fault_that_can_not_be_stored_is_shouted_at_once(runner, caplog):
    shouted, touched = [], []

    async def shout(text):
        shouted.append(text)

    alerter = DiscordAlerter(BrokenDatabase(), wake=lambda: None, touch=touched.append, shout=shout)
    alerter.on_fault(runner, "out of ideas")
    await alerter.close()

    assert shouted == ["🛑 Forward test one is faulted: out of ideas"]
    assert touched == [runner.session.test.id]
    assert "could not be stored: disk full" in caplog.text


async def test_without_anybody_to_shout_to_such_a_fault_is_in_the_log(runner, caplog):
    alerter = DiscordAlerter(BrokenDatabase(), wake=lambda: None)
    alerter.on_fault(runner, "out of ideas")
    await alerter.close()

    assert "the fault of one could not be stored: disk full" in caplog.text


async def test_an_alert_of_the_connection_that_can_not_be_stored_ends_nothing(caplog):
    alerter = DiscordAlerter(BrokenDatabase(), wake=lambda: None)
    alert = ConnectionAlert(AlertKind.UNREACHABLE, "simulated", 3, 9.0, "refused", ("BTC/USDT",))
    alerter.on_connection(alert)
    alerter.on_connection(alert)
    await alerter.close()

    assert caplog.messages == ["an alert could not be stored"] * 2


async def test_a_fault_that_the_end_of_the_process_kept_untold_is_told_once(
    database, test, alerter
):
    await database.set_forward_test_status(test.id, ForwardTestStatus.FAULTED, fault="lost power")
    for _ in range(2):
        await alerter.on_attended([])
    (message,) = await database.take_due_messages()

    assert (message.kind, message.payload["reason"]) == (FAULT, "lost power")


async def test_a_step_that_told_nobody_wakes_nobody(database, runner, test):
    woken, touched = [], []
    alerter = DiscordAlerter(database, wake=lambda: woken.append(1), touch=touched.append)
    alerter.on_step(runner, SimpleNamespace(alerts=(), test_id=test.id))
    assert (woken, touched) == ([], [])
    alerter.on_step(runner, SimpleNamespace(alerts=("opened",), test_id=test.id))
    assert (woken, touched) == ([1], [test.id])


async def test_a_test_left_on_another_exchange_is_told_with_how_to_reach_it(
    database, test, alerter
):
    await alerter.on_attended([test])
    (message,) = await database.take_due_messages()

    assert message.kind == RECOVERY
    (left,) = message.payload["left"]
    assert left["reason"] == "it runs on simulated: start the bot with EXCHANGE=simulated"
