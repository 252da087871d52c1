"""Silent and muted alerts on their way: nothing that is on is lost, reordered or hushed."""

import random

import pytest

from bot.outbox import OutboxSender, SendLater
from bot.services import alert_kinds as kinds
from bot.services.alert_settings import AlertSettings, AlertState
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from data.database import Database, NewMessage

HOUR_MS = 3_600_000
ON, SILENT, OFF = AlertState.ON, AlertState.SILENT, AlertState.OFF
TOPIC = {
    TRADE_OPEN: "trade_opened",
    TRADE_CLOSE: "trade_closed",
    kinds.PAUSED: "start_stop",
    "summary_daily": "summary",
    kinds.FAULT: "fault",
}


class Clock:
    def __init__(self):
        self.now = 1_704_067_200_000

    def __call__(self):
        return self.now


class Discord:
    """Takes batches, or fails as it is told; a nonce that came lately is the same message."""

    def __init__(self, clock):
        self.clock = clock
        self.seen = []
        self.errors = []

    def places(self, message):
        return ("channel", "thread:1") if message.test_id else ("channel",)

    def stands_alone(self, message):
        return message.kind == kinds.RECOVERY

    async def send(self, batch, *, plainly=False):
        error = self.errors.pop(0) if self.errors else None
        if isinstance(error, Exception):
            raise error
        recent = [
            at for at, seen in self.seen if at > self.clock.now - 300_000 and same(seen, batch)
        ]
        if not recent:
            self.seen.append((self.clock.now, batch))
        if error == "lost answer":
            raise SendLater("502")

    async def has_arrived(self, batch, since):
        return any(same(seen, batch) for _, seen in self.seen)

    def batches(self, place="channel"):
        return [batch for _, batch in self.seen if batch.place == place]

    def numbers(self, place="channel"):
        return [m.payload["n"] for batch in self.batches(place) for m in batch.messages]


def same(one, other):
    return (one.place, one.nonce) == (other.place, other.nonce)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def database(tmp_path, clock):
    async with Database.open(tmp_path / "jesse.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def discord(clock):
    return Discord(clock)


@pytest.fixture
def sending(database, discord, clock):
    return OutboxSender(database, discord, now=clock)


@pytest.fixture
def settings(database):
    return AlertSettings(database)


@pytest.fixture
def tell(database):
    """Put alerts of some kinds into the outbox, numbered."""
    numbers = iter(range(10**6))

    async def put(*told, **payload):
        for kind in told:
            n = next(numbers)
            given = {"n": n, **payload}
            message = NewMessage(dedupe_key=f"k{n}", kind=kind, channel="test", payload=given)
            assert await database.append_message(message)

    return put


async def test_what_is_off_is_muted_and_lets_the_rest_pass(
    database, discord, sending, settings, tell
):
    await settings.set("trade_opened", OFF)
    await tell(TRADE_OPEN, TRADE_CLOSE, TRADE_OPEN, TRADE_CLOSE, TRADE_OPEN)

    await sending.deliver_due()

    assert discord.numbers() == [1, 3]
    assert await database.count_pending_messages() == 0
    stored = [await database.get_message(number) for number in range(1, 11)]
    muted = [m for m in stored if m.muted_at is not None]
    assert [(m.payload["n"], m.sent_at, m.last_error) for m in muted] == [
        (n, None, "alerts of this kind are off") for n in (0, 2, 4)
    ]


async def test_where_everything_is_off_nothing_is_sent_and_nothing_waits(
    database, discord, sending, settings, tell
):
    await settings.set("trade_opened", OFF)
    await tell(TRADE_OPEN, TRADE_OPEN)

    await sending.deliver_due()

    assert discord.seen == []
    assert await database.next_message_due_at() is None


async def test_silent_ones_come_silently_and_a_loud_one_makes_its_message_loud(
    discord, sending, settings, tell
):
    await settings.set("trade_opened", SILENT)
    await tell(TRADE_OPEN, TRADE_OPEN)
    await sending.deliver_due()
    await tell(TRADE_OPEN, TRADE_CLOSE, TRADE_OPEN)
    await sending.deliver_due()

    assert [(len(b.messages), b.is_silent) for b in discord.batches()] == [(2, True), (3, False)]


async def test_a_digest_is_loud_if_anything_in_it_is(discord, sending, settings, tell):
    await settings.set("trade_opened", SILENT)
    await tell(*[TRADE_OPEN] * 30)
    await sending.deliver_due()
    await tell(*[TRADE_OPEN] * 29, TRADE_CLOSE)
    await sending.deliver_due()

    assert [(b.is_digest, b.is_silent) for b in discord.batches()] == [(True, True), (True, False)]


async def test_what_waits_goes_as_it_is_set_when_it_is_sent(
    discord, sending, settings, tell, clock
):
    discord.errors = [SendLater("down", surely_not=True)]
    await tell(TRADE_OPEN, TRADE_CLOSE)
    await sending.deliver_due()
    await settings.set("trade_opened", OFF)
    await settings.set("trade_closed", SILENT)
    clock.now += 1_001

    await sending.deliver_due()

    assert discord.numbers() == [1]
    assert discord.batches()[0].is_silent


async def test_what_was_tried_is_given_up_once_nothing_in_it_is_wanted(
    database, discord, sending, settings, tell, clock
):
    discord.errors = [SendLater("502")]
    await tell(TRADE_OPEN, TRADE_OPEN)
    await sending.deliver_due()
    await settings.set("trade_opened", OFF)
    clock.now += 1_001

    await sending.deliver_due()

    assert await database.count_pending_messages() == 0
    assert await database.get_setting("outbox:channel:tried") is None
    await settings.set("trade_opened", ON)
    await tell(TRADE_CLOSE)
    await sending.deliver_due()
    assert discord.numbers() == [2]


async def test_what_may_have_arrived_is_tried_unchanged_though_a_part_is_off_now(
    discord, sending, settings, tell, clock
):
    discord.errors = ["lost answer"]
    await tell(TRADE_OPEN, TRADE_CLOSE)
    await sending.deliver_due()
    await settings.set("trade_opened", OFF)
    clock.now += 1_001

    await sending.deliver_due()

    assert discord.numbers() == [0, 1]


async def test_a_fault_is_sent_silently_at_most(database, discord, sending, settings, tell):
    await settings.set("fault", SILENT)
    await database.set_setting("alerts:states", {"fault": "off"})
    await tell(kinds.FAULT, reason="x")

    await sending.deliver_due()

    assert [b.is_silent for b in discord.batches()] == [True]


async def test_faults_that_repeat_come_as_two_messages_with_a_count(
    database, discord, sending, tell, clock
):
    for _ in range(6):
        await tell(kinds.FAULT, reason="out of ideas")
        await sending.deliver_due()
        clock.now += 60_000
    assert discord.numbers() == [0]
    assert await database.count_pending_messages() == 0

    clock.now += HOUR_MS
    await sending.deliver_due()

    assert discord.numbers() == [0, 5]
    first, last = (batch.messages[0] for batch in discord.batches())
    assert "repeats" not in first.payload
    count, since, until = last.payload["repeats"]
    assert (count, until - since) == (6, 5 * 60_000)
    assert (await database.get_message(3)).last_error == "it repeats one that was told: counted"


async def test_what_came_long_ago_is_counted_no_more_and_not_kept(
    database, discord, sending, tell, clock
):
    for reason in ("disk", "strategy"):
        await tell(kinds.FAULT, reason=reason)
        await sending.deliver_due()
        clock.now += 13 * HOUR_MS

    assert len(discord.numbers()) == 2
    assert len(await database.get_setting("alerts:repeats")) == 1


async def test_the_count_goes_on_in_the_next_process(tmp_path, clock, discord):
    for n in range(30):
        async with Database.open(tmp_path / "jesse.db", clock=clock) as database:
            payload = {"n": n, "tests": [{"candles": n}], "left": []}
            key = f"recovery:{n}"
            message = NewMessage(dedupe_key=key, kind="recovery", channel="test", payload=payload)
            await database.append_message(message)
            await OutboxSender(database, discord, now=clock).deliver_due()
        clock.now += 60_000

    counts = [b.messages[0].payload.get("repeats", [1])[0] for b in discord.batches()]
    assert counts == [1, 10]


async def test_the_sender_wakes_by_itself_for_what_was_held_back(
    database, discord, sending, tell, clock
):
    await tell(kinds.FAULT, reason="x")
    await tell(kinds.FAULT, reason="x")
    await sending.deliver_due()

    assert await sending._pause_s() == 60.0
    clock.now += 10 * 60_000 - 500
    assert await sending._pause_s() == 0.5


async def test_a_process_that_dies_while_it_counts_has_counted_all_or_nothing(
    database, discord, sending, tell, clock, monkeypatch
):
    await tell(kinds.FAULT, reason="x")
    await sending.deliver_due()
    await tell(kinds.FAULT, reason="x")

    async def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("data.database.Transaction.mute_messages", die)
    with pytest.raises(KeyboardInterrupt):
        await sending.deliver_due()
    monkeypatch.undo()
    again = OutboxSender(database, discord, now=clock)
    await again.deliver_due()
    clock.now += HOUR_MS
    await again.deliver_due()

    assert [b.messages[0].payload.get("repeats", [1])[0] for b in discord.batches()] == [1, 2]


@pytest.mark.parametrize("seed", range(6))
async def test_with_any_settings_nothing_that_is_on_is_lost_reordered_or_hushed(
    database, discord, clock, settings, tell, seed
):
    chance = random.Random(seed)
    states = dict.fromkeys(TOPIC, ON)
    always_on = chance.choice([TRADE_OPEN, TRADE_CLOSE])
    sending = OutboxSender(database, discord, now=clock)
    told, checked = [], 0
    was_off = set()
    for _ in range(60):
        kind = chance.choice([kind for kind in TOPIC if kind != always_on])
        states[kind] = chance.choice([ON, SILENT, SILENT if kind == kinds.FAULT else OFF])
        await settings.set(TOPIC[kind], states[kind])
        for _ in range(chance.choice((0, 1, 3, 13, 25))):
            told.append(chance.choice(list(TOPIC)))
            # Reasons that differ by more than numbers: here nothing is counted away.
            await tell(told[-1], reason="abcdefghij"[len(told) % 10] * (len(told) // 10 + 1))
        was_off |= {kind for kind, state in states.items() if state is OFF}
        discord.errors = [
            chance.choice((None, "lost answer", SendLater("503"), SendLater("x", surely_not=True)))
            for _ in range(chance.randrange(3))
        ]
        if chance.random() < 0.1:
            sending = OutboxSender(database, discord, now=clock)
        await sending.deliver_due()
        for batch in discord.batches()[checked:]:
            loud = [m for m in batch.messages if states[m.kind] is ON]
            assert batch.is_silent == (not loud)
        checked = len(discord.batches())
        clock.now += chance.choice((500, 5_000, 70_000, HOUR_MS))
    discord.errors = []
    for _ in range(50):
        await sending.deliver_due()
        clock.now += 61_000

    assert await database.count_pending_messages() == 0
    numbers = discord.numbers()
    assert numbers == sorted(set(numbers))
    missing = set(range(len(told))) - set(numbers)
    assert {told[n] for n in missing} <= was_off
    assert missing
    always = [n for n in range(len(told)) if told[n] not in was_off]
    assert [n for n in numbers if told[n] not in was_off] == always
