"""An exchange that is really gone: the channel is told after some attempts, and when it is back."""

from functools import partial

import pytest

from data.retry import RetryPolicy
from data.streams.policy import StreamPolicy

MINUTE_MS = 60_000
GONE, BACK = "simulated can't be reached", "simulated can be reached again"
AT_ONCE = RetryPolicy(first_s=0.02, longest_s=0.05)


@pytest.fixture
def impatient(monkeypatch):
    """Reconnect at once; whatever else waits, waits as long as ever."""
    policy = partial(StreamPolicy, reconnect=AT_ONCE)
    monkeypatch.setattr("data.live.StreamPolicy", policy)


def titles(floor, words):
    found = [e.get("title") or "" for m in floor.channel.messages for e in m.embeds]
    return [title for title in found if words in title]


async def test_the_channel_hears_that_the_exchange_is_gone_and_that_it_is_back(
    impatient, floor, exchange
):
    await floor.start(params="hold=true")
    await floor.minutes(2)
    # A single cut is no news: the second attempt already gets through.
    await exchange.set_faults(drop_sockets=True)
    await floor.minutes(1)
    assert titles(floor, GONE) == []

    end = floor.clock.now_ms() + 30 * MINUTE_MS
    await exchange.set_faults(outage_until_ms=end)
    gone = await floor.channel.wait_for_message(lambda m: GONE in m.text)
    assert "3 attempts" in gone.text
    assert "BTC/USDT" in gone.text
    assert titles(floor, BACK) == []
    assert exchange.faults.counters["refused_connections"] >= 3

    await floor.clock.advance_to(end)
    back = await floor.channel.wait_for_message(lambda m: BACK in m.text)
    await floor.minutes(2)
    await floor.sent()

    assert floor.channel.messages.index(back) > floor.channel.messages.index(gone)
    assert "BTC/USDT" in back.text
    assert (len(titles(floor, GONE)), len(titles(floor, BACK))) == (1, 1)
    test = await floor.desk.database.find_forward_test("one")
    assert test.fault is None
    kinds = [event.kind for event in await floor.desk.database.get_events(test.id)]
    assert kinds.count("stream_down") == kinds.count("stream_up") == 2
