"""Summaries as embeds: what they say, and that they fit."""

from dataclasses import fields

import pytest

from bot.services.summaries import BookSummary
from bot.ui.alerts import alert_embed, line_of
from bot.ui.limits import EMBEDS_TOTAL, FIELDS
from bot.ui.theme import GAIN, LOSS, NEUTRAL
from data.storage.records import OutboxMessage

START = 1_704_067_200_000
DAY_MS = 86_400_000
BOOK = {
    "test_id": 1, "test": "one", "strategy": "eager", "symbol": "BTC/USDT", "status": "running",
    "before": 10_000.0, "equity": 10_050.0, "trades": 3, "won": 2, "pnl": 40.0, "positions": 1,
    "unrealized": 10.0, "drawdown_pct": -0.4, "faults": 1, "stalls": 2, "outages": 0,
    "no_candles_since": None,
}  # fmt: skip
QUIET = {
    "trades": 0, "won": 0, "pnl": 0.0, "positions": 0, "unrealized": 0.0, "drawdown_pct": 0.0,
    "faults": 0, "stalls": 0, "equity": 10_000.0,
}  # fmt: skip


def message(*books, kind="summary_daily"):
    payload = {"start": START, "end": START + DAY_MS, "time": START + DAY_MS, "tests": list(books)}
    return OutboxMessage(
        id=5, dedupe_key="k", kind=kind, test_id=None, channel="channel", payload=payload,
        created_at=0, attempts=0, next_attempt_at=0, sent_at=None, abandoned_at=None,
        last_error=None,
    )  # fmt: skip


def text_of(embed):
    fields = [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join([embed.title, embed.description or "", *fields, embed.footer.text])


def test_a_test_s_day_is_told_in_full():
    embed = alert_embed(message(BOOK))
    text = text_of(embed)

    assert embed.colour.value == GAIN
    for words in (
        "Daily summary: +$50.00 (+0.50 %)", f"<t:{START // 1000}:f> to", "one · eager on BTC/USDT",
        "$10,050.00, **+$50.00 (+0.50 %)**", "3 trades, 67 % won, net +$40.00",
        "1 open position: +$10.00 unrealised", "deepest drawdown −0.40 %", "1 fault, 2 stalls",
        "alert 5",
    ):  # fmt: skip
        assert words in text
    assert "outage" not in text


def test_candles_that_end_early_are_told():
    at = START + DAY_MS - 3_600_000
    books = [{**BOOK, "test": f"t{n}", "no_candles_since": at} for n in range(11)]

    embed = alert_embed(message(*books))

    assert f"⏳ no candles since <t:{at // 1000}:f>" in embed.fields[0].value
    assert "⏳" in embed.fields[-1].value
    assert "⏳" not in text_of(alert_embed(message(BOOK)))


def test_a_quiet_day_says_no_more_than_that():
    text = text_of(alert_embed(message({**BOOK, **QUIET})))

    assert "no trade closed" in text
    for words in ("drawdown", "fault", "open position", "won"):
        assert words not in text


def test_several_tests_have_a_total():
    lost = {**BOOK, "test_id": 2, "test": "two", "equity": 9_800.0, "unrealized": None}
    embed = alert_embed(message(BOOK, lost, kind="summary_weekly"))

    assert embed.title.endswith("Weekly summary: −$150.00 (−0.75 %)")
    assert embed.colour.value == LOSS
    assert "2 tests, equity **$19,850.00**" in embed.description
    assert "6 trades, 67 % won, net +$80.00" in embed.description
    assert "1 open position" in embed.fields[1].value
    assert "unrealised" not in embed.fields[1].value


@pytest.mark.parametrize("count", [1, 10, 11, 60])
def test_however_many_tests_there_are_it_fits(count):
    long = {**BOOK, "strategy": "s" * 200, "symbol": "A" * 60, "equity": -1e15, "status": "odd"}
    books = [{**long, "test": f"{number:02}" + "_" * 38} for number in range(count)]

    embed = alert_embed(message(*books))

    assert len(embed) <= EMBEDS_TOTAL
    assert len(embed.fields) <= FIELDS
    assert embed.footer.text.endswith("alert 5")
    if count == 60:
        assert "more tests" in text_of(embed) or "tests" in embed.fields[-1].value


def test_without_any_money_there_is_no_percentage():
    nothing = {**BOOK, **QUIET, "before": 0.0, "equity": 0.0}

    embed = alert_embed(message(nothing))

    assert embed.title.endswith("$0.00 (–)")
    assert embed.colour.value == NEUTRAL


def test_a_summary_has_a_line_for_tables():
    assert line_of(message(BOOK, BOOK)) == "daily summary of 2 tests: +$100.00 (+0.50 %)"
    assert line_of(message(BOOK, kind="summary_weekly")).startswith("weekly summary of 1 test")


def test_what_another_version_wrote_is_told_in_bare_words():
    strange = message({**BOOK, "later": 1})

    assert line_of(strange).startswith("summary_daily: {")
    with pytest.raises(TypeError):
        alert_embed(strange)


def test_the_examples_have_every_field():
    assert set(BOOK) == {field.name for field in fields(BookSummary)}
