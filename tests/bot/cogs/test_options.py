"""Bad and wild options: one private message that says what to do, never an unhandled error."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.sandbox.errors import InvalidInput

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(str.strip)
WILD = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "1y", "0d", "999999y", "2024-13", "-1", "NaN", "2024-01-31T25:00", "@everyone", "`" * 9,
            "../../etc/passwd", "__init__", "BTC/USDT", "BTC//USDT", ":", "a/b:c", "\\" * 20,
            "fast_period=1e999", "fast_period==", "=1", "fast_period=1 fast_period=2",
        ]
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("backtest", {"strategy": "nope"}, "no strategy 'nope'"),
        ("backtest", {"strategy": "../app"}, "no strategy"),
        ("backtest", {"strategy": "ma_crossover", "symbol": "???"}, "is no symbol"),
        ("backtest", {"strategy": "ma_crossover", "start": "soon"}, "start 'soon' is no time"),
        ("backtest", {"strategy": "ma_crossover", "end": "2024-02-30"}, "end '2024-02-30'"),
        (
            "backtest",
            {"strategy": "ma_crossover", "start": "2024-02", "end": "2024-01"},
            "end 2024-01 is not after start 2024-02",
        ),
        ("backtest", {"strategy": "ma_crossover", "start": "1900-01-01"}, "outside of 2009"),
        ("backtest", {"strategy": "ma_crossover", "params": "fast"}, "is not name=value"),
        (
            "backtest",
            {"strategy": "ma_crossover", "params": "fast_perod=3"},
            "did you mean fast_period?",
        ),
        (
            "backtest",
            {"strategy": "ma_crossover", "params": "fast_period=1"},
            "greater than or equal to 2, got '1'",
        ),
        ("fetch", {"timeframe": "7m"}, "unknown timeframe '7m': use one of 1m"),
        ("fetch", {"symbol": "%%%"}, "is no symbol"),
        ("fetch", {"start": "tomorrow"}, "start 'tomorrow' is no time"),
    ],
)
async def test_bad_options_are_one_private_message_that_says_what_to_do(
    bench, command, options, words
):
    answer = await bench.user("operator").slash(command, **options)
    message = await answer.wait_for(lambda m: m.ephemeral and bool(m.text))

    assert words in message.text.replace("\\", "")
    assert len(answer.messages) == 1
    assert bench.app.client.services.jobs.recent() == []


@pytest.mark.parametrize("balance", [0, -5, 1e13])
async def test_discord_itself_refuses_such_a_balance(bench, balance):
    with pytest.raises(InvalidInput):
        await bench.user("operator").slash("backtest", strategy="ma_crossover", balance=balance)


async def test_a_client_that_does_not_check_is_checked_here(bench):
    """A stale definition lets values through that the present one forbids."""
    with pytest.raises(InvalidInput, match="takes one of"):
        await bench.user("operator").slash("backtest", strategy="ma_crossover", fill="never")


@settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    command=st.sampled_from(["backtest", "fetch", "strategies"]),
    texts=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("strategy", "symbol", "start", "end", "params", "timeframe", "name"), WILD
        ),
    ),
    is_known=st.booleans(),
    balance=st.none() | st.floats(1, 1e12),
)
async def test_wild_options_get_exactly_one_answer_and_no_unhandled_error(
    bench, caplog, command, texts, is_known, balance
):
    taken = {
        "backtest": {"strategy", "symbol", "start", "end", "params"},
        "fetch": {"symbol", "timeframe", "start", "end"},
        "strategies": {"name"},
    }[command]
    options = {name: value for name, value in texts.items() if name in taken}
    if command == "backtest":
        if is_known or "strategy" not in options:
            options["strategy"] = "ma_crossover"
        if balance is not None and math.isfinite(balance):
            options["balance"] = balance

    answer = await bench.user("operator").slash(command, **options)
    await answer.wait_for(lambda m: bool(m.text))
    jobs = bench.app.client.services.jobs
    for view in jobs.recent():
        if not view.state.is_final:
            job = jobs.cancel(view.id)
            await job.finished()

    assert len(answer.messages) == 1
    assert answer.refusals == []
    assert "unexpected error" not in caplog.text
    assert "@everyone" not in answer.messages[0].text


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    option=st.sampled_from(["strategy", "symbol", "start", "end", "params"]),
    typed=st.one_of(st.just(""), WILD),
    strategy=st.sampled_from(["ma_crossover", "nope", ""]),
)
async def test_wild_typing_always_gets_suggestions_that_discord_takes(
    bench, caplog, option, typed, strategy
):
    given_so_far = {"strategy": strategy} if strategy and option != "strategy" else {}
    choices = await bench.user("operator").autocomplete(
        "backtest", option=option, typed=typed, given=given_so_far
    )

    assert len(choices) <= 25
    assert "Ignoring exception" not in caplog.text
