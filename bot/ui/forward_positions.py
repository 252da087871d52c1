"""Open positions and closed trades of forward tests as embeds and CSV. Pure."""

import csv
import io
from collections.abc import Sequence
from typing import Final

import discord

from bot.services.forward.overview import ForwardView, PositionView, total_profit_usd
from bot.services.forward.results import stored_trade_json
from bot.ui.formats import dollars, moment, percent, plural
from bot.ui.forward_formats import amount, level, price, reason_text, side_title
from bot.ui.limits import Card, Markup, escape
from bot.ui.theme import NEUTRAL, WARNING, outcome_colour
from data.storage.records import ForwardTest, StoredTrade
from engine.results import TRADE_FIELDS
from engine.summary import format_duration

PAGE_TRADES: Final = 10
_SHOWN_POSITIONS: Final = 20


def positions_embeds(views: Sequence[ForwardView], now: int) -> list[discord.Embed]:
    """Return the open positions of tests, one embed for all; `now` (ms) gives their age."""
    held = _held(views)
    if not held:
        names = ", ".join(view.test.name for view in views) or "no test is running"
        card = Card("No open positions", colour=NEUTRAL)
        return [card.describe(escape(names)).build()]
    total = total_profit_usd(position for _, position in held)
    known = "" if total is None else f", {dollars(total, sign='+')} unrealised"
    card = Card(f"{plural(len(held), 'open position')}{known}", colour=outcome_colour(total or 0.0))
    for view, position in shown_positions(views):
        side = side_title(position.position.side, view.test.symbol)
        name = f"{side} #{position.position.id} · {view.test.name}"
        card.field(name, _details(view, position, now), inline=False)
    left = len(held) - _SHOWN_POSITIONS + card.dropped
    if left > 0:
        several = len({view.test.id for view, _ in held}) > 1
        rest = ": /positions test:NAME shows those of one test" if several else ", opened later"
        card.footer(f"and {left} more{rest}")
    return [card.build()]


def shown_positions(views: Sequence[ForwardView]) -> list[tuple[ForwardView, PositionView]]:
    """Return the open positions that are shown, those of one test in the order of opening."""
    return _held(views)[:_SHOWN_POSITIONS]


def position_line(view: PositionView, symbol: str) -> Markup:
    """Return a position on one line."""
    position = view.position
    parts = [
        f"{side_title(position.side, symbol)} {amount(position.size, symbol)}",
        f"at {price(position.entry_price, symbol)}",
    ]
    if view.mark is not None:
        profit = dollars(view.profit_usd, sign="+")
        parts.append(f"now {price(view.mark, symbol)}")
        parts.append(f"**{profit} ({percent(view.profit_percent, sign='+')})**")
    return Markup(" · ".join(parts))


def close_preview(view: ForwardView, position: PositionView) -> discord.Embed:
    """Return what closing a position by hand would do."""
    card = Card(f"Close {side_title(position.position.side, view.test.symbol)}?", colour=WARNING)
    lines = [
        Markup(f"It is closed at the market in **{escape(view.test.name)}**, reason manual:"),
        position_line(position, view.test.symbol),
        Markup("The strategy may open another one at its next close: `/forward pause` stops that."),
    ]
    return card.list(lines).build()


def closed_embed(test: ForwardTest, trade: StoredTrade) -> discord.Embed:
    """Return a position that was just closed by hand."""
    closed = trade.trade
    profit = f"{dollars(closed.pnl, sign='+')} ({percent(closed.pnl_percent, sign='+')})"
    card = Card(f"{side_title(closed.side, test.symbol)} closed", colour=outcome_colour(closed.pnl))
    return card.describe(
        Markup(f"at {price(closed.exit_price, test.symbol)}: **{profit}**")
    ).build()


def trades_page(
    test: ForwardTest, trades: Sequence[StoredTrade], *, page: int, total: int
) -> discord.Embed:
    """Return a page of closed trades, the newest first; pages count from 0."""
    if not total:
        card = Card(f"{test.name}: no trades yet", colour=NEUTRAL)
        return card.describe(Markup("Trades are shown here once a position is closed.")).build()
    card = Card(f"{test.name}: {plural(total, 'trade')}", colour=outcome_colour(_net(trades)))
    card.list([_trade_line(test, stored) for stored in trades])
    pages = page_count(total)
    return card.footer(f"page {page + 1} of {pages} · {test.strategy} on {test.symbol}").build()


def page_count(total: int) -> int:
    """Return how many pages so many trades have, at least one."""
    return max(1, -(-total // PAGE_TRADES))


def trades_csv(trades: Sequence[StoredTrade]) -> bytes:
    """Return trades as CSV, in the order of closing."""
    out = io.StringIO()
    writer = csv.DictWriter(out, (*TRADE_FIELDS, "recovered"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(stored_trade_json(stored) for stored in trades)
    return out.getvalue().encode()


def _held(views: Sequence[ForwardView]) -> list[tuple[ForwardView, PositionView]]:
    return [(view, position) for view in views for position in view.positions]


def _details(view: ForwardView, held: PositionView, now: int) -> Markup:
    position, symbol = held.position, view.test.symbol
    profit = f"{dollars(held.profit_usd, sign='+')} ({percent(held.profit_percent, sign='+')})"
    size = f"{amount(position.size, symbol)} ({dollars(position.size_usd)})"
    entry = f"entry {price(position.entry_price, symbol)}"
    lines = [
        f"**{profit}**" if held.mark is not None else "no price: it isn't running",
        f"{size} · {entry} · mark {price(held.mark, symbol)}",
        f"stop {level(position.stop_loss, held.mark, symbol)} ·"
        f" target {level(position.take_profit, held.mark, symbol)}",
        f"open for {format_duration(max(now - position.entry_time, 0))}"
        f" · {moment(position.entry_time)}",
    ]
    return Markup("\n".join(lines))


def _trade_line(test: ForwardTest, stored: StoredTrade) -> Markup:
    trade = stored.trade
    profit = f"{dollars(trade.pnl, sign='+')} ({percent(trade.pnl_percent, sign='+')})"
    way = f"{price(trade.entry_price, test.symbol)} → {price(trade.exit_price, test.symbol)}"
    mark = " · ⏪ recovered" if stored.recovered else ""
    return Markup(
        f"`{trade.id:>3}` {side_title(trade.side, '')} **{profit}** · {way}\n"
        f"-# {moment(trade.exit_time)} · held {format_duration(trade.holding_ms)}"
        f" · {reason_text(trade.exit_reason)}{mark}"
    )


def _net(trades: Sequence[StoredTrade]) -> float:
    return sum(stored.trade.pnl for stored in trades)
