"""/check from the first answer to the last, as somebody uses it who writes a strategy."""

import pytest

from bot.errors import JobCancelled
from bot.services.workers import WorkerPool
from bot.ui.theme import GAIN, WARNING
from tests.conftest import PROJECT_ROOT

SHIPPED = (PROJECT_ROOT / "strategies" / "ma_crossover.py").read_text()


@pytest.fixture
def folder(tmp_path):
    """A folder of strategies of the test's own."""
    path = tmp_path / "own"
    path.mkdir()
    return path


@pytest.fixture
async def own(running, candles, folder):
    async with running(strategies_dir=folder) as bench:
        yield bench


def is_checked(message):
    return "Runs" in message.text


async def check(bench, user="operator", **options):
    return await bench.user(user).slash("check", **options)


async def test_a_check_says_what_holds(bench):
    answer = await check(bench, strategy="ma_crossover")
    first = await answer.first_response()
    message = await answer.wait_for(is_checked)

    assert not first.ephemeral
    assert "Check: ma\\_crossover on BTC/USDT" in first.text
    assert [button["label"] for button in first.buttons] == ["Cancel"]
    assert answer.acknowledged_after_s < 1
    assert len(answer.messages) == 1
    assert "all that was checked holds" in message.text
    assert message.embeds[0]["color"] == GAIN
    for word in (
        "✅ Runs", "Called at 960 closes", "✅ Repeats itself", "✅ Sees no future",
        "✅ Wakes in time", "with the same trades", "simulated prices",
    ):  # fmt: skip
        assert word in message.text, word
    assert message.buttons == []
    assert [entry.outcome for entry in await bench.audit()] == ["done", "queued"]


async def test_a_wrong_wake_is_named_with_its_first_candle(own, folder):
    wrong = SHIPPED.replace("return self.crossed\n", "return self.crossed_up\n")
    (folder / "mine.py").write_text(wrong)

    message = await (await check(own, strategy="mine")).wait_for(is_checked)

    assert "something is wrong" in message.text
    assert message.embeds[0]["color"] == WARNING
    assert "❌ Wakes in time" in message.text
    assert "Wake is wrong at the candle of 2024-0" in message.text


async def test_a_strategy_that_raises_is_named_with_file_and_line(own, folder):
    broken = SHIPPED.replace("if self.crossed_up[-1]:", "if self.crosed[-1]:")
    (folder / "mine.py").write_text(broken)
    line = broken[: broken.index("self.crosed")].count("\n") + 1

    message = await (await check(own, strategy="mine")).wait_for(is_checked)

    assert "❌ Runs" in message.text
    assert f"mine.py, line {line}" in message.text.replace("\\", "")
    assert "at the candle of 2024-01-01" in message.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "nope"}, "no strategy 'nope'"),
        ({"strategy": "broken"}, "broken.py, line 1"),
        ({"strategy": "mine", "symbol": "???"}, "is no symbol"),
    ],
)
async def test_bad_options_are_one_private_message(own, folder, options, words):
    (folder / "mine.py").write_text(SHIPPED)
    (folder / "broken.py").write_text("def (:\n")

    answer = await check(own, **options)
    message = await answer.wait_for(lambda m: m.ephemeral and bool(m.text))

    assert words in message.text.replace("\\", "")
    assert len(answer.messages) == 1
    assert own.app.client.services.jobs.recent() == []


async def test_only_operators_check(bench):
    answer = await check(bench, "viewer", strategy="ma_crossover")
    message = await answer.finished()

    assert message.ephemeral
    assert "may do this" in message.text


async def test_progress_is_shown_and_a_check_can_be_cancelled(bench):
    bench.pool.gate.clear()
    answer = await check(bench, strategy="ma_crossover")
    await bench.pool.started.wait()
    bench.pool.progress(("called as it wants", 25, 100))
    seen = await answer.wait_for(lambda m: "25 %" in m.text)
    await (await bench.user("operator").click(seen, "Cancel")).finished()
    message = await answer.wait_for(lambda m: "cancelled" in m.text)

    assert "**called as it wants**" in seen.text
    assert "Check: ma\\_crossover on BTC/USDT" in message.text
    assert isinstance(bench.app.client.services.jobs.recent()[0].error, JobCancelled)


async def test_a_check_runs_in_a_worker_process(running, candles):
    async with WorkerPool(1) as pool, running(pool=pool) as bench:
        answer = await check(bench, strategy="breakout", symbol="btc-usdt")
        message = await answer.wait_for(is_checked, timeout_s=60)

    assert "It has no wake" in message.text


async def test_strategies_and_symbols_are_suggested(bench):
    user = bench.user("operator")
    strategies = await user.autocomplete("check", option="strategy", typed="ma")
    symbols = await user.autocomplete("check", option="symbol", typed="btc")

    assert [choice.value for choice in strategies] == ["ma_crossover"]
    assert [choice.value for choice in symbols] == ["BTC/USDT"]
