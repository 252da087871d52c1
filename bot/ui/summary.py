"""The summary of a day or a week as a card. Pure: stored figures in, a card out."""

from collections.abc import Mapping
from typing import Any, Final

from bot.services.summaries import BookSummary, Total, books_of, total_of
from bot.ui.formats import dollars, moment, percent, plural
from bot.ui.limits import Card, Markup, clip, escape
from bot.ui.theme import outcome_colour

# It is a message of its own; the rest is for the footer.
_BUDGET: Final = 5800
_SHOWN_WHOLE: Final = 10
_SIGNS: Final = {"running": "▶️", "paused": "⏸️", "faulted": "🛑", "stopped": "⏹️"}


def summary_card(title: str, payload: Mapping[str, Any]) -> Card:
    """Return all tests of a period with their total.

    Raises:
        KeyError, TypeError: the summary was written by another version.
    """
    books = books_of(payload)
    total = total_of(books)
    heading = f"📅 {title}: {_change(total)}"
    card = Card(heading, colour=outcome_colour(total.change), budget=_BUDGET)
    lines = [f"{moment(payload['start'])} to {moment(payload['end'])}"]
    if len(books) > 1:
        lines.append(f"{plural(len(books), 'test')}, equity **{dollars(total.equity)}**")
        lines += _trade_lines(total)
    card.describe(Markup("\n".join(lines)))
    for book in books[:_SHOWN_WHOLE]:
        card.field(_name(book), _book(book), inline=False)
    return card.field_list("More", [_line(book) for book in books[_SHOWN_WHOLE:]], more="tests")


def summary_line(title: str, payload: Mapping[str, Any]) -> str:
    """Return a summary on one line of plain text."""
    books = books_of(payload)
    return f"{title} of {plural(len(books), 'test')}: {_change(total_of(books))}"


def _name(book: BookSummary) -> str:
    return f"{_SIGNS.get(book.status, '')} {book.test} · {book.strategy} on {book.symbol}"


def _book(book: BookSummary) -> Markup:
    lines = [f"{dollars(book.equity)}, **{_change(book)}**", *_trade_lines(book)]
    if book.drawdown_pct < 0:
        lines.append(f"deepest drawdown {percent(book.drawdown_pct)}")
    counts = ((book.faults, "fault"), (book.stalls, "stall"), (book.outages, "outage"))
    troubles = [plural(count, noun) for count, noun in counts if count]
    if troubles:
        lines.append(f"⚠️ {', '.join(troubles)}")
    if book.no_candles_since is not None:
        lines.append(f"⏳ no candles since {moment(book.no_candles_since)}: all is as of then")
    return Markup("\n".join(lines))


def _trade_lines(book: BookSummary | Total) -> list[str]:
    if book.trades:
        won = percent(100 * book.won / book.trades, digits=0)
        lines = [f"{plural(book.trades, 'trade')}, {won} won, net {dollars(book.pnl, sign='+')}"]
    else:
        lines = ["no trade closed"]
    if book.positions:
        unrealized = "" if book.unrealized is None else dollars(book.unrealized, sign="+")
        what = plural(book.positions, "open position")
        lines.append(f"{what}: {unrealized} unrealised" if unrealized else what)
    return lines


def _line(book: BookSummary) -> Markup:
    sign = _SIGNS.get(book.status, "")
    if book.no_candles_since is not None:
        sign += "⏳"
    return Markup(
        f"{sign} **{escape(clip(book.test, 40))}** {dollars(book.equity)}, {_change(book)}"
    )


def _change(book: BookSummary | Total) -> str:
    return f"{dollars(book.change, sign='+')} ({percent(book.change_percent, sign='+')})"
