"""Alerts as embeds: what they say, and that ten of the longest fit into one message."""

import csv
import io

import pytest

from bot import alerts
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.ui.alerts import (
    BUDGET,
    Totals,
    alert_embed,
    digest_csv,
    digest_embed,
    line_of,
    plain_text,
)
from bot.ui.limits import EMBEDS_TOTAL
from bot.ui.theme import GAIN, LOSS
from data.storage.records import OutboxMessage

TIME = 1_704_067_200_000
LONG = "*_`|<@1>" * 200
OPEN = {
    "test": "one", "strategy": "eager", "symbol": "BTC/USDT", "exchange": "binance", "time": TIME,
    "equity": 10_050.0, "balance": 10_000.0, "recovered": False, "id": 3, "side": "short",
    "entry_time": TIME, "entry_price": 40_000.0, "size": 0.125, "size_usd": 5_000.0,
    "stop_loss": 41_000.0, "take_profit": 38_000.0,
}  # fmt: skip
CLOSE = {
    **OPEN, "exit_time": TIME + 5_400_000, "exit_price": 38_000.0, "pnl": 245.0,
    "pnl_percent": 4.9, "fees": 5.0, "exit_reason": "take_profit",
}  # fmt: skip
FACTS = {"test": "one", "strategy": "eager", "symbol": "BTC/USDT", "exchange": "binance"}
OTHERS = {
    alerts.START: {"params": {"a": LONG}, "timeframes": ["1h"], "initial_balance": 1e4, "by": 7},
    alerts.STOP: {"equity": 9e3, "initial_balance": 1e4, "trades": 3, "left_open": 2, "by": 7},
    alerts.PAUSED: {"by": 7},
    alerts.RESUMED: {"by": None},
    alerts.FAULT: {"reason": LONG, "positions": 2},
    alerts.STALL: {"last_open": TIME, "silent_s": 301.0},
    alerts.BACK: {"last_open": TIME, "silent_s": 301.0},
    alerts.RECOVERY: {
        "tests": [
            {"name": LONG[:40], "symbol": "B/C", "first": TIME, "last": TIME, "candles": 9,
             "trades": 1}
        ] * 30,
        "left": [{"name": "x", "reason": LONG}] * 30,
    },
    alerts.CONNECTION: {
        "exchange": "binance", "kind": "unreachable", "attempts": 5, "down_s": 60.0,
        "reason": LONG, "symbols": ["BTC/USDT"] * 90,
    },
    alerts.NOTE: {"title": LONG, "text": LONG, "is_problem": True},
}  # fmt: skip


def message(kind, payload, number=57):
    return OutboxMessage(
        id=number,
        dedupe_key=f"k{number}",
        kind=kind,
        test_id=1,
        channel="channel",
        payload=payload,
        created_at=TIME,
        attempts=0,
        next_attempt_at=TIME,
        sent_at=None,
        abandoned_at=None,
        last_error=None,
    )


def text_of(embed):
    fields = [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join([embed.title, embed.description or "", *fields, embed.footer.text])


def test_an_opened_position_shows_levels_with_their_distance():
    text = text_of(alert_embed(message(TRADE_OPEN, OPEN)))

    for words in (
        "🔴 Short BTC/USDT opened", "Entry: $40,000.00", "0.125 BTC", "$5,000.00",
        "Stop: $41,000.00 (+2.50 %)", "Target: $38,000.00 (−5.00 %)", "one · alert 57",
    ):  # fmt: skip
        assert words in text


def test_a_closed_position_shows_profit_reason_time_and_totals():
    embed = alert_embed(message(TRADE_CLOSE, CLOSE), Totals(8, 6, 50.0, 10_000.0))
    text = text_of(embed)

    assert embed.colour.value == GAIN
    for words in (
        "Short BTC/USDT closed: +$245.00 (+4.90 %)", "Reason: take profit", "Held: 1h 30m",
        "$40,000.00 → $38,000.00", "8 trades, 75 % won", "net +$50.00",
        "equity $10,050.00 (+0.50 %)",
    ):  # fmt: skip
        assert words in text
    lost = alert_embed(message(TRADE_CLOSE, {**CLOSE, "pnl": -1.0}))
    assert lost.colour.value == LOSS


@pytest.mark.parametrize(("kind", "payload"), [(TRADE_OPEN, OPEN), (TRADE_CLOSE, CLOSE)])
def test_what_was_filled_while_away_says_so(kind, payload):
    assert "recovered" not in text_of(alert_embed(message(kind, payload)))
    again = message(kind, {**payload, "recovered": True})
    assert "**recovered**" in text_of(alert_embed(again))
    assert line_of(again).endswith(", recovered")


@pytest.mark.parametrize("kind", [TRADE_OPEN, TRADE_CLOSE, *OTHERS])
def test_ten_of_the_longest_fit_into_one_message(kind):
    long = {"test": "n" * 40, "strategy": LONG, "symbol": "A" * 30 + "/USDT"}
    own = {TRADE_OPEN: OPEN, TRADE_CLOSE: CLOSE}.get(kind) or {**FACTS, **OTHERS[kind]}
    embed = alert_embed(message(kind, {**own, **long}), Totals(9_999, 9, -1e9, 1.0))

    assert len(embed) <= BUDGET
    assert BUDGET * 10 <= EMBEDS_TOTAL
    assert embed.footer.text.endswith("alert 57")


def test_a_fault_names_the_line_and_the_way_back():
    text = text_of(
        alert_embed(message(alerts.FAULT, {**FACTS, "reason": "eager.py, line 30", "positions": 1}))
    )

    assert "eager.py, line 30" in text
    assert "1 open position stay" in text
    assert "/forward resume test:one" in text


def test_a_digest_sums_up_each_test_and_has_everything_in_its_file():
    other = {**CLOSE, "test": "two", "pnl": -45.0}
    many = [
        *(message(TRADE_CLOSE, CLOSE, number) for number in range(1, 200)),
        message(TRADE_CLOSE, other, 200),
        message(alerts.FAULT, {**FACTS, **OTHERS[alerts.FAULT]}, 201),
    ]
    embed = digest_embed(many)
    text = text_of(embed)

    assert "201 alerts" in embed.title
    assert "**one**: 199 closed, 199 won, net +$48,755.00" in text
    assert "**two**: 1 closed, 0 won, net −$45.00" in text
    assert "is faulted" in text
    assert embed.footer.text == "alert 1"
    assert len(embed) <= EMBEDS_TOTAL
    rows = list(csv.DictReader(io.StringIO(digest_csv(many).decode())))
    assert [row["alert"] for row in rows] == [str(n) for n in range(1, 202)]


def test_a_digest_tells_of_every_problem_though_many_others_came_later():
    failed = {"title": "Scheduled work", "text": "the backup failed", "is_problem": True}
    works = {**failed, "text": "the refresh works again", "is_problem": False}
    trades = [message(TRADE_CLOSE, CLOSE, number) for number in range(3, 40)]

    text = text_of(
        digest_embed([message(alerts.NOTE, failed, 1), message(alerts.NOTE, works, 2), *trades])
    )

    assert "the backup failed" in text
    assert "the refresh works again" not in text


def test_plain_words_carry_the_mark_and_take_anything():
    strange = message("no such kind", {"a": 1})

    assert plain_text([strange]) == 'no such kind: {"a": 1} (alert 57)'
    assert len(plain_text([message(alerts.NOTE, OTHERS[alerts.NOTE])] * 20)) <= 2000


def test_a_digest_shows_the_newest_and_counts_all_others():
    trades = [message(TRADE_CLOSE, {**CLOSE, "exit_price": 38_000.0 + i}, i) for i in range(40)]

    embed = digest_embed(trades)

    assert embed.description == "<t:1704067200:f>, each in the file."
    listed = next(field.value for field in embed.fields if field.name == "Newest first")
    shown = listed.split("\n")
    assert "$38,039.00" in shown[0]
    assert shown[-1] == f"… and {40 - (len(shown) - 1)} more"
