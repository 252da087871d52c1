"""The outbox: order, retries, nonces, digests; Discord is a list that fails as it is told."""

from pathlib import Path

import pytest

from bot.outbox import DIGEST_FROM, NotForThisPlace, OutboxSender, SendLater, Unsendable
from data.database import Database, NewMessage

HOUR_MS = 3_600_000


class Clock:
    def __init__(self):
        self.now = 1_704_067_200_000

    def __call__(self):
        return self.now


class FakeDiscord:
    """Takes batches; a nonce that came within 5 minutes is taken for the same message."""

    def __init__(self, clock):
        self.clock = clock
        self.seen = []
        self.calls = 0
        self.errors = []
        self.asked = 0
        self.can_be_asked = True

    def places(self, message):
        return ("channel", f"thread:{message.payload['n'] % 2}")

    def stands_alone(self, message):
        return message.kind == "start"

    async def send(self, batch, *, plainly=False):
        self.calls += 1
        error = self.errors.pop(0) if self.errors else None
        if isinstance(error, Exception):
            raise error
        recent = [s for s in self.seen if s["at"] > self.clock.now - 300_000]
        if not any(s["nonce"] == batch.nonce and s["place"] == batch.place for s in recent):
            self.seen.append(
                {
                    "at": self.clock.now,
                    "nonce": batch.nonce,
                    "place": batch.place,
                    "ids": [message.id for message in batch.messages],
                    "n": [message.payload["n"] for message in batch.messages],
                    "digest": batch.is_digest,
                    "plainly": plainly,
                }
            )
        if error == "lost answer":
            raise SendLater("502")

    async def has_arrived(self, batch, since):
        self.asked += 1
        first = batch.messages[0].id
        return self.can_be_asked and any(
            first in s["ids"] and s["place"] == batch.place for s in self.seen
        )

    def numbers(self, place="channel"):
        return [n for s in self.seen if s["place"] == place for n in s["n"]]


class OnePlace(FakeDiscord):
    def places(self, message):
        return ("channel",)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def database(tmp_path: Path, clock):
    async with Database.open(tmp_path / "jesse.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def discord(clock):
    return OnePlace(clock)


def sender(database, discord, clock):
    return OutboxSender(database, discord, now=clock)


async def fill(database, count, *, first=0, kind="note"):
    for n in range(first, first + count):
        message = NewMessage(dedupe_key=f"k{n}", kind=kind, channel="test", payload={"n": n})
        assert await database.append_message(message)


async def pending(database):
    return await database.count_pending_messages()


async def until_sent(database, sending, clock):
    for _ in range(200):
        await sending.deliver_due()
        if not await pending(database):
            return
        clock.now += 61_000
    raise AssertionError("it is never sent")


async def test_alerts_go_out_in_order_ten_at_a_time(database, discord, clock):
    await fill(database, 15)

    await sender(database, discord, clock).deliver_due()

    assert [len(s["n"]) for s in discord.seen] == [10, 5]
    assert discord.numbers() == list(range(15))
    assert await pending(database) == 0


async def test_each_place_has_every_alert_and_a_failure_of_its_own(database, clock):
    discord = FakeDiscord(clock)
    discord.errors = [SendLater("503")]
    await fill(database, 4)
    sending = sender(database, discord, clock)

    await sending.deliver_due()
    assert discord.numbers("channel") == []
    assert discord.numbers("thread:0") == [0, 2]
    assert sending.problems == {"channel": "503"}
    clock.now += 1_001
    await sending.deliver_due()
    assert discord.numbers("channel") == [0, 1, 2, 3]
    assert sending.problems == {}


async def test_a_lost_answer_is_tried_again_unchanged_and_seen_once(database, discord, clock):
    discord.errors = ["lost answer", "lost answer"]
    await fill(database, 3)
    sending = sender(database, discord, clock)

    await sending.deliver_due()
    await fill(database, 4, first=3)
    clock.now += 1_001
    await sending.deliver_due()
    clock.now += 2_001
    await sending.deliver_due()

    assert discord.numbers() == list(range(7))
    assert [s["n"] for s in discord.seen] == [[0, 1, 2], [3, 4, 5, 6]]


async def test_hours_after_a_lost_answer_it_looks_before_it_sends(database, discord, clock):
    discord.errors = ["lost answer", *(SendLater("down") for _ in range(8))]
    await fill(database, 2)
    sending = sender(database, discord, clock)
    await sending.deliver_due()
    discord.can_be_asked = False
    for _ in range(8):
        clock.now += HOUR_MS
        await sending.deliver_due()
    discord.can_be_asked = True

    await until_sent(database, sending, clock)

    assert discord.numbers() == [0, 1]
    assert discord.asked >= 1


async def test_what_may_have_arrived_stays_one_message_though_more_than_one_look_waits(
    database, clock
):
    class Blocked(FakeDiscord):
        is_blocked = True

        def places(self, message):
            return ("channel", "thread:1")

        async def send(self, batch, *, plainly=False):
            if batch.place != "channel" and self.is_blocked:
                raise SendLater("no way to the thread", surely_not=True)
            await super().send(batch, plainly=plainly)

    discord = Blocked(clock)
    await fill(database, 700)
    discord.errors = [None, "lost answer"]
    sending = sender(database, discord, clock)
    await sending.deliver_due()
    assert [len(s["n"]) for s in discord.seen] == [250, 450]
    discord.is_blocked = False  # the thread has older ones than the channel: they fill the look

    clock.now += 2_000
    await until_sent(database, sending, clock)

    assert discord.numbers() == list(range(700))
    assert discord.numbers("thread:1") == list(range(700))


async def test_a_process_that_dies_after_sending_sends_nothing_twice(database, discord, clock):
    await fill(database, 2)
    first = sender(database, discord, clock)
    first._mark_sent = _die

    with pytest.raises(KeyboardInterrupt):
        await first.deliver_due()
    await fill(database, 1, first=2)
    clock.now += HOUR_MS
    await sender(database, discord, clock).deliver_due()

    assert discord.numbers() == [0, 1, 2]


async def _die(batch):
    raise KeyboardInterrupt


async def test_after_a_long_outage_one_digest_comes_in_place_of_hundreds(database, discord, clock):
    discord.errors = [SendLater("down", surely_not=True)]
    sending = sender(database, discord, clock)
    await fill(database, 1)
    await sending.deliver_due()
    await fill(database, 300, first=1)
    clock.now += 6 * HOUR_MS

    await until_sent(database, sending, clock)

    assert discord.numbers() == list(range(301))
    assert [s["digest"] for s in discord.seen] == [True]


async def test_few_alerts_are_shown_each(database, discord, clock):
    await fill(database, DIGEST_FROM - 1)

    await sender(database, discord, clock).deliver_due()

    assert [s["digest"] for s in discord.seen] == [False, False]


async def test_outages_are_waited_out_and_the_pause_stays_short(database, discord, clock):
    discord.errors = [SendLater("503") for _ in range(30)]
    await fill(database, 2)
    sending = sender(database, discord, clock)

    await until_sent(database, sending, clock)

    assert discord.numbers() == [0, 1]
    assert discord.calls == 31
    [pause] = {await _pause_after_failures(database, sending, discord, clock)}
    assert pause <= 60_000


async def _pause_after_failures(database, sending, discord, clock):
    await fill(database, 1, first=50)
    for _ in range(12):
        discord.errors = [SendLater("503")]
        await sending.deliver_due()
        due = await database.next_message_due_at()
        pause = due - clock.now
        clock.now = due
    return pause


async def test_what_discord_refuses_is_said_plainly(database, discord, clock):
    discord.errors = [Unsendable("50035")]
    await fill(database, 2)

    await sender(database, discord, clock).deliver_due()

    assert [(s["n"], s["plainly"]) for s in discord.seen] == [([0, 1], True)]


async def test_what_is_refused_even_plainly_lets_the_rest_pass(database, discord, clock):
    discord.errors = [Unsendable("50035"), Unsendable("50035")]
    await fill(database, 1)
    await fill(database, 1, first=1, kind="start")

    await sender(database, discord, clock).deliver_due()

    assert discord.numbers() == [1]
    assert await pending(database) == 0


async def test_a_place_that_is_not_needed_holds_nothing_up(database, discord, clock):
    discord.errors = [NotForThisPlace("no thread")]
    await fill(database, 1)

    await sender(database, discord, clock).deliver_due()

    assert discord.seen == []
    assert await pending(database) == 0


async def test_some_messages_stand_alone(database, discord, clock):
    await fill(database, 2)
    await fill(database, 1, first=2, kind="start")
    await fill(database, 2, first=3)

    await sender(database, discord, clock).deliver_due()

    assert [s["n"] for s in discord.seen] == [[0, 1], [2], [3, 4]]


async def test_random_failures_lose_nothing_double_nothing_and_keep_the_order(database, clock):
    import random

    chance = random.Random(5)
    discord = OnePlace(clock)
    sending = sender(database, discord, clock)
    told = 0
    for _ in range(150):
        count = chance.choice((0, 1, 1, 2, 13))
        await fill(database, count, first=told)
        told += count
        discord.errors = [
            chance.choice((None, "lost answer", SendLater("503"), SendLater("x", surely_not=True)))
            for _ in range(chance.randrange(3))
        ]
        if chance.random() < 0.1:
            sending = sender(database, discord, clock)
        await sending.deliver_due()
        clock.now += chance.choice((500, 5_000, 70_000, HOUR_MS))
    discord.errors = []
    await until_sent(database, sending, clock)

    assert discord.numbers() == list(range(told))


async def test_when_discord_is_back_what_waits_is_tried_at_once(database, discord, clock):
    await fill(database, 1)
    sending = sender(database, discord, clock)
    discord.errors = [SendLater("not connected", surely_not=True)] * 6
    for _ in range(6):
        await sending.deliver_due()
        clock.now = max(clock.now, await database.next_message_due_at())
    clock.now -= 1_000
    await sending.deliver_due()
    assert (discord.numbers(), discord.calls) == ([], 6)
    sending.retry_now()
    sending.end()
    await sending.run()
    assert discord.numbers() == [0]
