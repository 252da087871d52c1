"""A forward test beside its backtest: the parity report as embed and CSV, the equity. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Final

import discord

from bot.services.forward.overview import ForwardView
from bot.services.forward.parity import Cause, ParityReport, TradePair
from bot.services.forward.rerun import Comparison
from bot.ui.formats import dollars, moment, number, percent, period, plural
from bot.ui.forward import simulated
from bot.ui.forward_formats import price, reason_text, side_title
from bot.ui.limits import Card, Markup, clip, escape
from bot.ui.theme import GAIN, NEUTRAL, WARNING, outcome_colour
from engine.candles import format_time
from engine.orders import Trade

EQUITY_PNG: Final = "equity.png"
_LISTED: Final = 6
_SIDE_FIELDS: Final = ("entry_time", "entry_price", "exit_time", "exit_price", "reason", "pnl")


def report_embed(comparison: Comparison) -> discord.Embed:
    """Return how many trades match, how far prices are apart, and each cause of a difference."""
    report, test = comparison.report, comparison.test
    different = [pair for pair in report.pairs if pair.cause not in (Cause.NONE, Cause.OPEN)]
    unmatched = len([pair for pair in different if not pair.matches])
    card = Card(f"{test.name}: {_verdict(report, unmatched)}", colour=_colour(report, unmatched))
    card.describe(
        Markup(
            f"**{escape(test.strategy)}** on {escape(test.symbol)}{simulated(test)}\n"
            f"{period(report.start, report.end)}, live beside the backtest"
        )
    )
    card.field("Matched", Markup(f"**{report.matched:,}** of {plural(_compared(report), 'trade')}"))
    card.field("Largest difference", Markup(f"{number(report.largest_bps)} bps"))
    card.field("Exactly equal", Markup(f"{_count(report, Cause.NONE):,}"))
    card.field("Net, live", dollars(_net(report, live=True), sign="+"))
    card.field("Net, backtest", dollars(_net(report, live=False), sign="+"))
    card.field("Still open", Markup(f"{_count(report, Cause.OPEN):,}"))
    if report.revised:
        card.field("Revised candles", Markup(f"{len(report.revised):,}"))
    causes = Counter(str(pair.cause) for pair in different)
    lines = [Markup(f"{count:,} × {escape(cause)}") for cause, count in causes.most_common()]
    card.field_list("Why they differ", lines)
    worst = sorted(different, key=_weight)[:_LISTED]
    card.field_list("Largest differences", [_pair_line(pair, test.symbol) for pair in worst])
    return card.footer("matched: same minutes, same reason · every trade is in the file").build()


def report_csv(report: ParityReport) -> bytes:
    """Return every trade of both sides as CSV, one line a pair."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    sides = [f"{side}_{name}" for side in ("live", "backtest") for name in _SIDE_FIELDS]
    writer.writerow(["side", "matches", "cause", "entry_bps", "exit_bps", *sides])
    for pair in report.pairs:
        trade = pair.live or pair.backtest
        side = str(trade.side) if trade else ""
        row = [side, pair.matches, pair.cause, _cell(pair.entry_bps), _cell(pair.exit_bps)]
        writer.writerow([*row, *_cells(pair.live), *_cells(pair.backtest)])
    return out.getvalue().encode()


def equity_embed(
    view: ForwardView, comparison: Comparison | None, notices: Sequence[str], *, has_picture: bool
) -> discord.Embed:
    """Return a test's equity, with the backtest's where there is one."""
    gain = percent(view.return_percent, sign="+")
    card = Card(
        f"{view.test.name}: {dollars(view.equity)} ({gain})",
        colour=outcome_colour(view.equity - view.config.initial_balance),
    )
    card.describe(Markup(f"{escape(view.test.strategy)} on {escape(view.test.symbol)}"))
    if comparison is not None and len(comparison.backtest.equity):
        card.field("Backtest", dollars(float(comparison.backtest.equity[-1])))
        report = comparison.report
        matched = f"{report.matched:,} of {plural(_compared(report), 'trade')}"
        card.field("Matched", Markup(f"{matched} · `/forward report`"))
    card.field_list("Please note", [escape(clip(text, 500)) for text in notices])
    return (card.image(EQUITY_PNG) if has_picture else card).build()


def _verdict(report: ParityReport, unmatched: int) -> str:
    if not _compared(report):
        return "no closed trades yet, on either side"
    if unmatched:
        return f"{plural(unmatched, 'trade differs', 'trades differ')} from the backtest"
    return "every trade matches the backtest"


def _colour(report: ParityReport, unmatched: int) -> int:
    if not _compared(report):
        return NEUTRAL
    return WARNING if unmatched else GAIN


def _count(report: ParityReport, cause: Cause) -> int:
    return sum(pair.cause is cause for pair in report.pairs)


def _net(report: ParityReport, *, live: bool) -> float:
    # What is open live has no profit yet, though the backtest closes it at its end.
    ended = [pair for pair in report.pairs if pair.cause is not Cause.OPEN]
    trades = [pair.live if live else pair.backtest for pair in ended]
    return sum(trade.pnl for trade in trades if trade is not None)


def _compared(report: ParityReport) -> int:
    return len(report.pairs) - _count(report, Cause.OPEN)


def _weight(pair: TradePair) -> tuple[bool, float]:
    """What is worth a look first: trades that don't match, then large differences."""
    return pair.matches, -max(abs(pair.entry_bps or 0.0), abs(pair.exit_bps or 0.0))


def _pair_line(pair: TradePair, symbol: str) -> Markup:
    trade = pair.live or pair.backtest
    assert trade is not None
    head = f"{side_title(trade.side, '')} {moment(trade.entry_time)}"
    cause = escape(str(pair.cause))
    if pair.live is None or pair.backtest is None:
        where = "only live" if pair.live else "only in the backtest"
        return Markup(f"{head} · {where}, {price(trade.entry_price, symbol)} · {cause}")
    apart = f"{number(pair.entry_bps, sign='+')} / {number(pair.exit_bps, sign='+')} bps"
    return Markup(f"{head} · {apart} · {reason_text(pair.live.exit_reason)} · {cause}")


def _cells(trade: Trade | None) -> list[str | float]:
    if trade is None:
        return [""] * len(_SIDE_FIELDS)
    return [
        format_time(trade.entry_time),
        trade.entry_price,
        format_time(trade.exit_time),
        trade.exit_price,
        str(trade.exit_reason),
        trade.pnl,
    ]


def _cell(value: float | None) -> str | float:
    return "" if value is None else round(value, 6)
