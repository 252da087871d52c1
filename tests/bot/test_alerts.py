"""What the alerter stores: a fault anew after each resumption, once however often it is noted."""

import asyncio

import pytest

from bot.alerts import DiscordAlerter, forget_told_fault
from bot.outbox import OutboxSender
from bot.repeats import RepeatLedger
from data.database import Database, NewForwardTest


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
