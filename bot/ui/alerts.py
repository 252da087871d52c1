"""Alerts as embeds: one each, or a digest of many. Pure: stored messages in, embeds out.

What an alert of a kind shows is in `bot.ui.alert_cards`, its one line in `bot.ui.alert_lines`.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Final

import discord

from bot import alerts
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.ui.alert_cards import BUDGET as BUDGET
from bot.ui.alert_cards import Totals as Totals
from bot.ui.alert_cards import card_of, short
from bot.ui.alert_lines import line_of as line_of
from bot.ui.alert_lines import mark_of as mark_of
from bot.ui.alert_lines import time_of as time_of
from bot.ui.formats import dollars, moment, plural
from bot.ui.limits import CONTENT, Card, Markup, clip, escape, plain
from bot.ui.repeats import with_repeats
from bot.ui.theme import WARNING
from data.storage.records import OutboxMessage
from engine.candles import format_time

DIGEST_CSV: Final = "alerts.csv"
_DIGEST_BUDGET: Final = 5500
_PROBLEMS: Final = (alerts.FAULT, alerts.STALL, alerts.CONNECTION)
_CSV_FIELDS: Final = ("alert", "kind", "test", "time", "text")


def alert_embed(
    message: OutboxMessage, totals: Totals | None = None, *, picture: str | None = None
) -> discord.Embed:
    """Return one alert; `totals` are shown with a closed trade, `picture` names an attached file.

    Raises:
        KeyError, TypeError, ValueError: the alert lacks facts, or is of an unknown kind.
    """
    card = card_of(message, totals)
    if picture is not None:
        card.image(picture)
    return with_repeats(card.footer(footer(message)).build(), message.payload, BUDGET)


def footer(message: OutboxMessage) -> str:
    """Return the line at the bottom; its end is what a sent alert is recognised by."""
    test = message.payload.get("test")
    return f"{test} · {mark_of(message)}" if test else mark_of(message)


def digest_embed(messages: Sequence[OutboxMessage]) -> discord.Embed:
    """Return many alerts as one: what happened in each test, problems, and the newest."""
    times = [time_of(message) for message in messages]
    span = " to ".join(dict.fromkeys((moment(min(times)), moment(max(times)))))
    card = Card(
        f"{plural(len(messages), 'alert')} at once",
        colour=WARNING,
        budget=_DIGEST_BUDGET,
    )
    card.describe(Markup(f"{span}, each in the file."))
    card.field_list("By test", _by_test(messages), more="tests")
    newest = messages[::-1]
    problems = [m for m in newest if m.kind in _PROBLEMS or m.payload.get("is_problem")]
    card.field_list("Problems", [_dated(m) for m in problems])
    card.field_list("Newest first", [_dated(m) for m in newest])
    return card.footer(mark_of(messages[0])).build()


def digest_csv(messages: Sequence[OutboxMessage]) -> bytes:
    """Return alerts as a table, one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_FIELDS)
    for message in messages:
        when, test = format_time(time_of(message)), message.payload.get("test", "")
        writer.writerow([message.id, message.kind, test, when, line_of(message)])
    return out.getvalue().encode()


def plain_text(messages: Sequence[OutboxMessage]) -> str:
    """Return alerts as bare text, for when nothing better is accepted."""
    lines = [plain(f"{line_of(message)} ({mark_of(message)})", 300) for message in messages]
    return clip("\n".join(lines), CONTENT)


def _by_test(messages: Sequence[OutboxMessage]) -> list[Markup]:
    names = dict.fromkeys(str(m.payload["test"]) for m in messages if m.payload.get("test"))
    return [
        _test_line(name, [m for m in messages if m.payload.get("test") == name]) for name in names
    ]


def _test_line(name: str, messages: Sequence[OutboxMessage]) -> Markup:
    kinds = Counter(message.kind for message in messages)
    closed = [message.payload for message in messages if message.kind == TRADE_CLOSE]
    parts = [f"{plural(kinds[TRADE_OPEN], 'position')} opened"] if kinds[TRADE_OPEN] else []
    if closed:
        won = sum(payload["pnl"] > 0 for payload in closed)
        net = dollars(sum(payload["pnl"] for payload in closed), sign="+")
        parts.append(f"{len(closed):,} closed, {won:,} won, net {net}")
    told = [message.payload["equity"] for message in messages if "equity" in message.payload]
    if told:
        parts.append(f"equity {dollars(told[-1])}")
    others = sum(kinds.values()) - kinds[TRADE_OPEN] - kinds[TRADE_CLOSE]
    if others:
        parts.append(plural(others, "other alert"))
    return Markup(f"**{escape(name)}**: {', '.join(parts)}")


def _dated(message: OutboxMessage) -> Markup:
    time = time_of(message)
    when = f"{moment(time, 'd')} {moment(time, 't')}"
    return Markup(f"{when} {short(line_of(message), 150)}")
