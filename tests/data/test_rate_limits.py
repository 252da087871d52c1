import asyncio
import heapq
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from data.rate_limits import RateLimits, usable_per_second
from data.retry import Timing
from data.venues.catalog import find_venue

VENUE = find_venue("binance")


def buckets(limits, timing=None, *, name="binance", is_limited=True):
    return limits.of(name, VENUE.facts, timing or Timing(), is_limited=is_limited)


@pytest.mark.parametrize("pool", VENUE.facts.limits)
async def test_two_clients_together_get_no_more_than_one(fake_time, pool):
    limit = VENUE.facts.limits[pool]
    limits, began, passed = RateLimits(), fake_time.now, 0.0
    timing = fake_time.timing
    clients = [buckets(limits, timing)[pool] for _ in range(2)]
    weight = limit.weight / 50

    while fake_time.now - began < 3 * limit.seconds:
        for client in clients:
            await client.take(weight)
            passed += weight

    allowed = limit.weight / limit.seconds * (fake_time.now - began)
    assert 0.85 * allowed < passed < allowed


async def test_a_pause_that_one_client_is_asked_for_holds_the_others_back(fake_time):
    limits, timing, began = RateLimits(), fake_time.timing, fake_time.now
    first, second = (buckets(limits, timing, is_limited=False) for _ in range(2))
    pool = next(iter(first))
    first[pool].close_for(30)
    await second[pool].take(1)
    assert fake_time.now - began == pytest.approx(30)


def test_other_exchanges_times_and_clients_without_limits_share_nothing(fake_time):
    limits, timing = RateLimits(), fake_time.timing
    found = [
        buckets(limits, timing),
        buckets(limits, timing, name="other"),
        buckets(limits, timing, is_limited=False),
        buckets(limits, replace(timing, random=lambda: 0.5)),
        buckets(RateLimits(), timing),
    ]
    assert len({id(bucket) for each in found for bucket in each.values()}) == 5 * len(found[0])


def test_clients_in_threads_share_a_limit():
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    timing = Timing(sleep=sleep, monotonic=lambda: 0.0)
    limits = RateLimits()
    pool, limit = next(iter(VENUE.facts.limits.items()))

    async def client():
        bucket = buckets(limits, timing)[pool]
        for _ in range(500):
            await bucket.take(limit.weight)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(asyncio.run, client()) for _ in range(4)]:
            done.result()
    # Time stands still: nobody may have been given another's place in the row.
    assert len(waits) == len(set(waits)) == 2_000
    longest = 2_000 * limit.weight / usable_per_second(limit)
    assert max(waits) == pytest.approx(longest, rel=0.01)


class SharedTime:
    """A time that passes when everyone sleeps, up to the one who wakes first."""

    def __init__(self):
        self.now = 0.0
        self._sleepers = []
        self._number = 0

    async def sleep(self, seconds):
        self._number += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now + seconds, self._number, woken))
        await woken.wait()

    async def run_until(self, end):
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, woken = heapq.heappop(self._sleepers)
            woken.set()
            for _ in range(10):
                await asyncio.sleep(0)


def most_within(times, seconds):
    return max(sum(begin <= at < begin + seconds for at in times) for begin in times)


@pytest.mark.parametrize("pause_s", [0.2, 3.0, 30.0])
async def test_many_requests_under_way_keep_the_limit_after_a_pause_too(pause_s):
    time, sent = SharedTime(), []
    timing = Timing(sleep=time.sleep, monotonic=lambda: time.now)
    venue = find_venue("bybit")
    [(pool, limit)] = venue.facts.limits.items()
    limits = RateLimits()

    async def download():
        bucket = limits.of("bybit", venue.facts, timing, is_limited=True)[pool]
        while True:
            await bucket.take(1)
            sent.append(time.now)
            await time.sleep(0.5)

    async def refuse():
        await time.sleep(10.05)
        limits.of("bybit", venue.facts, timing, is_limited=True)[pool].close_for(pause_s)

    tasks = [asyncio.create_task(work()) for work in (*[download] * 100, refuse)]
    await asyncio.sleep(0)
    await time.run_until(10 + pause_s + 3 * limit.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert not [at for at in sent if 10.05 < at < 10.05 + pause_s]
    assert most_within(sent, limit.seconds) <= 0.95 * limit.weight + 1
    assert len(sent) > 0.89 * limit.weight * (10 + 3 * limit.seconds) / limit.seconds
