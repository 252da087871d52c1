"""What was tried with an unknown outcome is looked for in the channel before it is sent again."""

import pytest

from bot.delivery import CHANNEL
from bot.outbox import Batch, OutboxSender, SendLater, Unsendable
from bot.sandbox.permissions import Permission
from data.database import NewMessage

LONG_MS = 10 * 60_000


async def note(floor, text):
    """Put a notice into the outbox unseen by the sender; return it."""
    database = floor.desk.database
    payload = {"title": "Notice", "text": text, "is_problem": False}
    message = NewMessage(dedupe_key=text, kind="note", channel=CHANNEL, payload=payload)
    await database.append_message(message)
    return (await database.take_due_messages())[-1]


@pytest.fixture
async def delivery(floor):
    """The bot's own way to Discord, which nobody else uses any more."""
    parts = floor.app.forward
    parts.sender.end()
    await parts._sending
    return parts.sender._transport


def batch_of(*messages):
    return Batch(CHANNEL, tuple(messages))


@pytest.mark.parametrize("plainly", [False, True])
async def test_what_arrived_is_found_and_what_did_not_is_not(floor, delivery, plainly):
    came, lost = await note(floor, "it came"), await note(floor, "it got lost")
    since = came.created_at
    await delivery.send(batch_of(came), plainly=plainly)
    await floor.channel.wait_for_message(lambda m: "it came" in m.text)

    assert await delivery.has_arrived(batch_of(came), since)
    assert not await delivery.has_arrived(batch_of(lost), since)


async def test_what_others_wrote_is_not_taken_for_an_alert(floor, delivery):
    alert = await note(floor, "mine")
    await delivery.send(batch_of(alert))
    shown = await floor.channel.wait_for_message(lambda m: "mine" in m.text)
    floor.sandbox.state.remove_message(floor.sandbox.state.messages[shown.id])
    assert not await delivery.has_arrived(batch_of(alert), alert.created_at)


async def test_a_history_that_may_not_be_read_counts_as_not_arrived(floor, delivery):
    alert = await note(floor, "unread")
    await delivery.send(batch_of(alert))
    await floor.channel.wait_for_message(lambda m: "unread" in m.text)
    floor.sandbox.deny_bot("research", Permission.READ_MESSAGE_HISTORY)
    assert not await delivery.has_arrived(batch_of(alert), alert.created_at)


async def test_while_discord_fails_nobody_knows(floor, delivery):
    alert = await note(floor, "unknown")
    floor.sandbox.faults.fail_next(9, status=400, method="GET", path=r"/messages$")
    with pytest.raises(Unsendable, match="400"):
        await delivery.has_arrived(batch_of(alert), alert.created_at)


async def test_an_answer_lost_long_ago_is_not_sent_twice(floor, delivery, monkeypatch):
    """The nonce has been forgotten by then: only the look keeps the alert from coming twice."""
    alert = await note(floor, "answer lost")
    now, send = [alert.created_at], delivery.send

    async def send_and_lose_the_answer(batch, *, plainly=False):
        monkeypatch.setattr(delivery, "send", send)
        await send(batch, plainly=plainly)
        raise SendLater("no way to Discord")

    monkeypatch.setattr(delivery, "send", send_and_lose_the_answer)
    sender = OutboxSender(floor.desk.database, delivery, now=lambda: now[0])
    await sender.deliver_due()
    await floor.channel.wait_for_message(lambda m: "answer lost" in m.text)
    assert list(sender.problems) == [CHANNEL]

    now[0] += LONG_MS
    floor.bench.clock.advance(LONG_MS // 1000)
    await floor.desk.database.retry_messages_now()
    await sender.deliver_due()

    assert await floor.desk.database.count_pending_messages() == 0
    assert sum("answer lost" in m.text for m in floor.channel.messages) == 1
    assert sender.problems == {}
