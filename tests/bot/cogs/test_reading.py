"""Commands that only read, as members use them: /help, /strategies, /jobs, /status."""

import pytest

from bot.sandbox.errors import NotOffered


@pytest.fixture
def folder(bench):
    """A folder of strategies of the test's own."""
    path = bench.settings.data_dir / "strategies"
    path.mkdir()
    bench.app.client.services.library.folder = path
    return path


def strategy(docstring: str, params: str = "") -> str:
    return (
        "from engine import Field, Strategy, StrategyParams\n\n"
        f"class Own(Strategy):\n    {docstring!r}\n    timeframes = ('1h',)\n"
        f"    class Params(StrategyParams):\n        'Own.'\n{params}\n"
        "    def on_candle(self, data, portfolio):\n        return []\n"
    )


async def test_help_names_first_steps_and_every_command(bench):
    message = await (await bench.user("viewer").slash("help")).finished()

    assert message.ephemeral
    offered = {command.name for command in bench.user("viewer").commands()}
    assert offered == {
        "alerts", "backtest", "check", "equity", "fetch", "forward", "help", "jobs", "positions",
        "schedule", "status", "strategies", "trades",
    }  # fmt: skip
    for name in offered - {"alerts", "forward", "schedule"}:
        assert f"</{name}:" in message.text
    for name in ("start", "stop", "pause", "resume", "status", "list", "report"):
        assert f"</forward {name}:" in message.text
    for name in ("list", "pause", "resume", "run"):
        assert f"</schedule {name}:" in message.text
    for name in ("show", "set"):
        assert f"</alerts {name}:" in message.text
    assert "start:1y" in message.text
    assert "You may read here" in message.text


async def test_help_tells_operators_nothing_of_what_they_may_not(bench):
    message = await (await bench.user("operator").slash("help")).finished()

    assert "You may read here" not in message.text


async def test_strategies_are_listed_with_a_line_and_their_timeframes(bench):
    message = await (await bench.user("viewer").slash("strategies")).finished()

    assert not message.ephemeral
    assert "4 strategies" in message.text
    assert "Trade the crossing of two moving averages." in message.text
    assert "1m, 4h" in message.text


async def test_one_strategy_is_shown_with_every_parameter(bench):
    answer = await bench.user("viewer").slash("strategies", name="ma_crossover")
    message = await answer.finished()

    assert "`slow_period=200` integer (≥ 3, ≤ 2000) · candles in the slow average" in message.text
    assert message.text.count("=") >= 6


async def test_broken_files_are_named_and_take_no_other_down(bench, folder):
    (folder / "good.py").write_text(strategy("A good one."))
    (folder / "bad.py").write_text("def (:\n")

    message = await (await bench.user("viewer").slash("strategies")).finished()

    assert "A good one." in message.text
    assert "bad can't be loaded: invalid syntax (bad.py, line 1)" in message.text
    answer = await bench.user("viewer").slash("strategies", name="bad")
    refusal = await answer.finished()
    assert refusal.ephemeral
    assert "bad.py, line 1" in refusal.text


async def test_an_unknown_strategy_is_one_private_message_with_the_nearest_name(bench):
    answer = await bench.user("viewer").slash("strategies", name="ma_crosover")
    message = await answer.finished()

    assert message.ephemeral
    assert "did you mean ma\\_crossover?" in message.text
    assert len(answer.messages) == 1


async def test_an_empty_folder_says_what_to_do(bench, folder):
    message = await (await bench.user("viewer").slash("strategies")).finished()

    assert "put a strategy file into" in message.text


async def test_two_hundred_parameters_and_a_hostile_docstring_are_shown_safely(bench, folder):
    params = "\n".join(
        f"        p{n}: int = Field({n}, description='@everyone ' + 'x' * 200)" for n in range(200)
    )
    hostile = "**bold** @everyone <@1234567890123456789> [safe](https://evil.example) " + "y" * 6000
    (folder / "own.py").write_text(strategy(hostile, params))

    for options in ({}, {"name": "own"}):
        message = await (await bench.user("viewer").slash("strategies", **options)).finished()
        assert not message.ephemeral
        assert "@everyone" not in message.text
        assert "<@1234567890123456789>" not in message.text
        assert "](https://" not in message.text
        assert "**bold**" not in message.text
        assert message.pinged_ids == ()


async def test_status_shows_connections_and_the_machine(bench):
    answer = await bench.user("viewer").slash("status")
    message = await answer.finished(timeout_s=15)

    for word in ("Gateway latency", "Event loop lag", "Memory", "Disk", "discord.py", "simulated"):
        assert word in message.text
    assert "BTC/USDT 1m: <t:" in message.text
    assert "no connection" in message.text


async def test_jobs_says_when_nothing_runs(bench):
    message = await (await bench.user("viewer").slash("jobs")).finished()

    assert "Nothing is running." in message.text
    assert message.buttons == []


async def test_nothing_is_shown_of_what_does_not_work_yet(bench):
    with pytest.raises(NotOffered):
        await bench.user("operator").slash("optimize")


@pytest.mark.parametrize(
    ("command", "option", "typed", "given", "expected"),
    [
        ("backtest", "strategy", "ma", {}, ["ma_crossover"]),
        ("strategies", "name", "rsi", {}, ["rsi_reversal"]),
        ("fetch", "timeframe", "1", {}, ["1m", "15m", "1h", "12h", "1d", "1w"]),
        ("backtest", "symbol", "btc", {"strategy": "ma_crossover"}, ["BTC/USDT"]),
        ("backtest", "symbol", "BTC-U", {"strategy": "ma_crossover"}, ["BTC/USDT"]),
        ("backtest", "start", "", {"strategy": "x"}, ["30d", "90d", "6mo", "1y", "2y", "4y"]),
        ("backtest", "start", "7d", {"strategy": "x"}, ["7d", "30d", "90d", "6mo", "1y", "2y"]),
        ("backtest", "params", "fast_", {"strategy": "ma_crossover"}, ["fast_", "fast_period=50"]),
        ("backtest", "params", "x", {"strategy": "no such"}, ["x"]),
    ],
)
async def test_options_are_suggested(bench, command, option, typed, given, expected):
    user = bench.user("operator")
    choices = await user.autocomplete(command, option=option, typed=typed, given=given)

    found = [choice.value for choice in choices]
    assert found[: len(expected)] == expected if option != "timeframe" else found == expected
