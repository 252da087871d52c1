"""Backoff, patience and weights, with a time that only sleeping moves."""

from dataclasses import replace

import pytest

from data.errors import ExchangeUnavailable
from data.retry import OpenBucket, RetryPolicy, TransientFault, WeightBucket, with_retries


@pytest.fixture
def retry(fake_time):
    """Ask a list of outcomes one after the other; an exception is raised, all else returned."""

    async def run(outcomes, policy=None, bucket=None):
        left = list(outcomes)

        async def ask():
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return await with_retries(
            ask,
            "candles of BTC/USDT",
            bucket=bucket or OpenBucket(fake_time.timing),
            policy=policy or RetryPolicy(),
            timing=fake_time.timing,
        )

    return run


async def test_the_first_answer_is_taken_at_once(retry, fake_time):
    assert await retry(["answer"]) == "answer"
    assert fake_time.slept == []


async def test_waits_double_up_to_the_longest_and_are_partly_chance(retry, fake_time):
    faults = [TransientFault("HTTP 503")] * 6

    assert await retry([*faults, "answer"]) == "answer"

    assert fake_time.slept == [0.75 * s for s in (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)]
    assert RetryPolicy().delay_s(1, 0.0) == 0.25
    assert RetryPolicy().delay_s(1, 1.0) == 0.5


async def test_an_exchange_that_says_how_long_is_waited_for(retry, fake_time):
    await retry([TransientFault("HTTP 429", wait_s=61), "answer"])

    assert sum(fake_time.slept) >= 61


async def test_a_long_ban_is_not_waited_for(retry, fake_time):
    with pytest.raises(ExchangeUnavailable, match=r"HTTP 418.*pause of 60 minutes.*is kept"):
        await retry([TransientFault("HTTP 418", wait_s=3600)])

    assert fake_time.slept == []


async def test_tries_are_bounded_and_the_end_says_what_to_do(retry):
    faults = [TransientFault(f"fault {number}") for number in range(1, 8)]

    with pytest.raises(ExchangeUnavailable) as caught:
        await retry([*faults, "too late"])

    message = str(caught.value)
    assert message.startswith("candles of BTC/USDT: no usable answer in 7 tries over 23 s")
    assert "last: fault 7" in message
    assert "run it again" in message


async def test_other_errors_are_not_retried(retry):
    with pytest.raises(KeyError):
        await retry([KeyError("x"), "answer"])


async def test_a_bucket_lets_a_burst_pass_and_then_its_rate(fake_time):
    bucket = WeightBucket(per_second=10, burst=20, timing=fake_time.timing)
    began = fake_time.now

    await bucket.take(20)
    assert fake_time.now == began
    for _ in range(10):
        await bucket.take(5)

    assert fake_time.now - began == pytest.approx(5.0)


async def test_a_bucket_never_passes_more_than_rate_and_burst(fake_time):
    bucket = WeightBucket(per_second=10, burst=20, timing=fake_time.timing)
    passed = []
    for number in range(200):
        if number == 100:
            fake_time.now += 1000.0  # idle for long: not more than one burst is saved up
        await bucket.take(3)
        passed.append((fake_time.now, 3))

    for began, _ in passed:
        within = sum(weight for at, weight in passed if began <= at <= began + 10)
        assert within <= 20 + 10 * 10 + 3


async def test_a_closed_bucket_holds_everyone_back(fake_time):
    for bucket in (OpenBucket(fake_time.timing), WeightBucket(10, 20, fake_time.timing)):
        bucket.close_for(30)
        began = fake_time.now
        await bucket.take(1)
        assert fake_time.now - began == pytest.approx(30)


async def test_one_refusal_pauses_the_other_requests_too(fake_time):
    bucket = OpenBucket(fake_time.timing)
    began = fake_time.now
    let_through = []

    async def sleep_while_another_asks(seconds):
        if not let_through:
            let_through.append(None)
            await bucket.take(1)
            let_through[0] = fake_time.now
        await fake_time.sleep(seconds)

    outcomes = [TransientFault("HTTP 429", wait_s=10), None]

    async def ask():
        if fault := outcomes.pop(0):
            raise fault

    timing = replace(fake_time.timing, sleep=sleep_while_another_asks)
    await with_retries(ask, "x", bucket=bucket, policy=RetryPolicy(), timing=timing)

    assert let_through[0] - began >= 10


async def test_a_pause_that_many_requests_meet_is_told_once(retry, fake_time, caplog):
    bucket = OpenBucket(fake_time.timing)
    outcomes = [TransientFault("HTTP 429", wait_s=10), None]

    async def ask():
        if fault := outcomes.pop(0):
            bucket.close_for(10)  # another request has met it just before
            raise fault

    timing = fake_time.timing
    await with_retries(ask, "x", bucket=bucket, policy=RetryPolicy(), timing=timing)
    assert caplog.messages == []

    await retry([TransientFault("HTTP 429", wait_s=10), "answer"])
    await retry([TransientFault("HTTP 503"), "answer"], bucket=bucket)
    assert [message.split(";")[0] for message in caplog.messages] == [
        "candles of BTC/USDT: HTTP 429",
        "candles of BTC/USDT: HTTP 503",
    ]


async def test_a_refusal_of_the_last_try_pauses_the_other_requests_too(retry, fake_time):
    bucket = OpenBucket(fake_time.timing)

    with pytest.raises(ExchangeUnavailable, match="HTTP 429"):
        await retry([TransientFault("HTTP 429", wait_s=10)], RetryPolicy(tries=1), bucket)

    assert bucket.is_closed
    began = fake_time.now
    await bucket.take(1)
    assert fake_time.now - began == pytest.approx(10)


async def test_a_long_ban_keeps_every_request_from_being_sent_until_it_ends(retry, fake_time):
    bucket = WeightBucket(10, 20, fake_time.timing)
    with pytest.raises(ExchangeUnavailable, match="pause of 60 minutes"):
        await retry([TransientFault("HTTP 418", wait_s=3600)], bucket=bucket)

    with pytest.raises(ExchangeUnavailable, match=r"not sent.*pause of 60 minutes"):
        await retry([AssertionError("it was sent")], bucket=bucket)
    assert fake_time.slept == []

    fake_time.now += 3600 - 100
    assert await retry(["answer"], bucket=bucket) == "answer"
    assert sum(fake_time.slept) == pytest.approx(100)


async def test_who_waits_for_its_turn_when_a_long_ban_comes_is_told(fake_time):
    async def ban_meanwhile(seconds):
        bucket.close_for(3600)
        await fake_time.sleep(seconds)

    bucket = WeightBucket(1, 1, replace(fake_time.timing, sleep=ban_meanwhile))
    await bucket.take(1)

    with pytest.raises(TransientFault) as caught:
        await bucket.take(5)
    assert caught.value.wait_s == pytest.approx(3595)
