"""/fetch and first backtests against a simulated exchange over real sockets."""

import asyncio

import pytest

from data.simulator.server import SimulatedExchange


@pytest.fixture
async def exchange():
    async with SimulatedExchange(seed=3, rate_limit=False) as server:
        yield server


@pytest.fixture
async def online(running, exchange):
    async with running(exchange_rest_url=exchange.rest_url) as bench:
        yield bench


async def test_a_fetch_ends_with_what_the_cache_covers(online):
    answer = await online.user("operator").slash("fetch", start="3d")
    first = await answer.first_response()
    message = await answer.wait_for(lambda m: "Covers" in m.text, timeout_s=60)

    assert "Fetch: BTC/USDT 1m from simulated" in first.text
    assert "fetched**" in message.text
    assert "Missing" in message.text
    assert message.buttons == []
    assert [e.outcome for e in await online.audit()] == ["done", "queued"]


async def test_a_second_fetch_tops_up(online):
    await (await online.user("operator").slash("fetch", start="1d")).wait_for(
        lambda m: "Covers" in m.text, timeout_s=60
    )
    answer = await online.user("operator").slash("fetch")
    message = await answer.wait_for(lambda m: "Covers" in m.text, timeout_s=60)

    assert "Nothing new" in message.text or "fetched**" in message.text


async def test_an_unknown_symbol_names_the_nearest(online):
    answer = await online.user("operator").slash("fetch", symbol="BTCC/USDT", start="1d")
    message = await answer.wait_for(lambda m: "failed" in m.text, timeout_s=60)

    assert "did you mean" in message.text
    assert "BTC/USDT" in message.text


async def test_symbols_of_the_exchange_are_suggested(online):
    user = online.user("operator")
    choices = await user.autocomplete("fetch", option="symbol", typed="eth")

    assert "ETH/USDT" in [choice.value for choice in choices]


async def test_a_backtest_fetches_what_is_missing_first(online):
    answer = await online.user("operator").slash("backtest", strategy="rsi_reversal", start="4d")
    message = await answer.wait_for(lambda m: len(m.attachments) == 2, timeout_s=90)

    stages = " ".join(version.text for version in answer.versions)
    assert "fetching candles" in stages
    assert "candles of 1m" in message.text


async def test_a_fetch_can_be_cancelled_and_what_came_stays(running, exchange):
    await exchange.set_faults(slow=100_000, slow_seconds=0.1)
    async with running(exchange_rest_url=exchange.rest_url) as bench:
        answer = await bench.user("operator").slash("fetch", start="2y")
        await answer.wait_for(lambda m: "fetching" in m.text, timeout_s=60)
        message = answer.message
        await (await bench.user("operator").click(message, "Cancel")).finished()
        await answer.wait_for(lambda m: "cancelled" in m.text, timeout_s=30)


async def test_status_says_that_the_exchange_answers(online):
    await asyncio.sleep(0)
    message = await (await online.user("viewer").slash("status")).finished(timeout_s=15)

    assert "simulated answers in" in message.text
    assert "All well" in message.text


async def test_a_symbol_is_kept_fresh_until_it_is_let_go(online):
    user = online.user("operator")
    for keep in (True, False):
        answer = await user.slash("fetch", symbol="eth-usdt", start="1d", keep=keep)
        await answer.wait_for(lambda m: "Covers" in m.text, timeout_s=60)
        listed = await (await user.slash("schedule list")).finished()
        assert ("Kept fresh" in listed.text, "ETH/USDT" in listed.text) == (keep, keep)
    given = [e.options for e in await online.audit() if "keep" in e.options]
    assert given == [
        {"symbol": "ETH/USDT", "keep": False}, {"symbol": "ETH/USDT", "keep": True}
    ]  # fmt: skip
