"""Alerts as embeds: one each, or a digest of many. Pure: stored messages in, embeds out."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot import alerts
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.ui.formats import dollars, moment, percent, plural, seconds
from bot.ui.forward_formats import amount, level, price, reason_text, side_title
from bot.ui.limits import CONTENT, Card, Markup, clip, code, escape, plain
from bot.ui.theme import ACCENT, GAIN, LOSS, NEUTRAL, WARNING, outcome_colour
from data.storage.records import OutboxMessage
from engine.candles import format_time
from engine.summary import format_duration
from engine.timeframe import MINUTE_MS

# Ten of them share the 6000 characters of a message.
BUDGET: Final = 590
DIGEST_CSV: Final = "alerts.csv"
_DIGEST_BUDGET: Final = 5500
_LISTED: Final = 12
_CSV_FIELDS: Final = ("alert", "kind", "test", "time", "text")


@dataclass(frozen=True, slots=True)
class Totals:
    """A test up to one of its trades: how many, how many won, and their net profit in USD."""

    trades: int
    won: int
    pnl: float
    initial_balance: float


TotalsOf = Callable[[OutboxMessage], Totals | None]


def alert_embed(message: OutboxMessage, totals: Totals | None = None) -> discord.Embed:
    """Return one alert; `totals` are shown with a closed trade."""
    payload = message.payload
    if message.kind == TRADE_CLOSE:
        return _trade_closed(message, totals)
    card = _CARDS[message.kind](payload)
    return card.footer(footer(message)).build()


def footer(message: OutboxMessage) -> str:
    """Return the line at the bottom; its end is what a sent alert is recognised by."""
    test = message.payload.get("test")
    return f"{test} · {mark_of(message)}" if test else mark_of(message)


def mark_of(message: OutboxMessage) -> str:
    """Return the name of an alert, unique in its database."""
    return f"alert {message.id}"


def digest_embed(messages: Sequence[OutboxMessage]) -> discord.Embed:
    """Return many alerts as one: what happened in each test, problems, and the last of them."""
    times = [time_of(message) for message in messages]
    card = Card(
        f"{plural(len(messages), 'alert')} at once",
        colour=WARNING,
        budget=_DIGEST_BUDGET,
    )
    card.describe(Markup(f"{moment(min(times))} to {moment(max(times))}, each in the file."))
    card.field_list("By test", _by_test(messages), more="tests")
    problems = [m for m in messages if m.kind in (alerts.FAULT, alerts.STALL, alerts.CONNECTION)]
    card.field_list("Problems", [_dated(m) for m in problems[-_LISTED:]])
    card.field_list("The last ones", [_dated(m) for m in messages[-_LISTED:]])
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


def line_of(message: OutboxMessage) -> str:
    """Return an alert on one line of plain text; never raises."""
    payload = message.payload
    try:
        return _LINES[message.kind](payload)
    except (KeyError, TypeError, ValueError):
        return f"{message.kind}: {json.dumps(dict(payload), default=str)}"


def time_of(message: OutboxMessage) -> int:
    """Return the market time (ms) that an alert tells of, else when it was noted."""
    return int(message.payload.get("time") or message.created_at)


def _trade_opened(payload: Mapping[str, Any]) -> Card:
    symbol, entry = payload["symbol"], payload["entry_price"]
    card = Card(f"{side_title(payload['side'], symbol)} opened", colour=ACCENT, budget=BUDGET)
    card.describe(_when(payload))
    card.field("Entry", price(entry, symbol))
    size = f"{amount(payload['size'], symbol)}\n{dollars(payload['size_usd'])}"
    card.field("Size", Markup(size))
    card.field("Equity", dollars(payload["equity"]))
    card.field("Stop", level(payload["stop_loss"], entry, symbol))
    return card.field("Target", level(payload["take_profit"], entry, symbol))


def _trade_closed(message: OutboxMessage, totals: Totals | None) -> discord.Embed:
    payload = message.payload
    symbol, profit = payload["symbol"], payload["pnl"]
    outcome = f"{dollars(profit, sign='+')} ({percent(payload['pnl_percent'], sign='+')})"
    title = f"{str(payload['side']).capitalize()} {symbol} closed: {outcome}"
    card = Card(title, colour=outcome_colour(profit), budget=BUDGET)
    card.describe(_when(payload))
    card.field("Reason", escape(reason_text(payload["exit_reason"])))
    held = format_duration(payload["exit_time"] - payload["entry_time"])
    card.field("Held", Markup(held))
    way = f"{price(payload['entry_price'], symbol)} → {price(payload['exit_price'], symbol)}"
    card.field("Price", Markup(way))
    size = f"{amount(payload['size'], symbol)}, {dollars(payload['size_usd'])}"
    card.field("Size", Markup(size))
    card.field("Fees", dollars(payload["fees"]))
    card.field("So far", _totals_text(payload, totals))
    return card.footer(footer(message)).build()


def _totals_text(payload: Mapping[str, Any], totals: Totals | None) -> Markup:
    equity = payload["equity"]
    if totals is None:
        return Markup(f"equity {dollars(equity)}")
    won = percent(100 * totals.won / max(totals.trades, 1), digits=0)
    gain = percent(100 * (equity / totals.initial_balance - 1), sign="+")
    return Markup(
        f"{plural(totals.trades, 'trade')}, {won} won\n"
        f"net {dollars(totals.pnl, sign='+')}\n"
        f"equity {dollars(equity)} ({gain})"
    )


def _when(payload: Mapping[str, Any]) -> Markup:
    lines = [f"{moment(payload['time'])} · {_short(payload['strategy'], 60)}"]
    if payload.get("recovered"):
        lines.append("⏪ **recovered**: filled while I was away, where it would have been")
    return Markup("\n".join(lines))


def _started(payload: Mapping[str, Any]) -> Card:
    card = Card(f"▶️ Forward test {payload['test']} started", colour=ACCENT, budget=BUDGET)
    frames = escape(", ".join(payload["timeframes"]))
    what = f"**{_short(payload['strategy'], 60)}** on {escape(payload['symbol'])}, {frames}"
    card.describe(Markup(f"{what}, paper money on {escape(payload['exchange'])}{_by(payload)}"))
    card.field("Balance", dollars(payload["initial_balance"]))
    params = " ".join(f"{name}={value}" for name, value in payload["params"].items())
    return card.field("Parameters", code(params, 200), inline=False) if params else card


def _stopped(payload: Mapping[str, Any]) -> Card:
    equity, initial = payload["equity"], payload["initial_balance"]
    gain = 100 * (equity / initial - 1)
    colour = outcome_colour(equity - initial)
    card = Card(f"⏹️ Forward test {payload['test']} stopped", colour=colour, budget=BUDGET)
    left = payload["left_open"]
    kept = f"{plural(left, 'position')} left open and no longer watched" if left else ""
    card.describe(Markup(f"{escape(payload['symbol'])}{_by(payload)}\n{kept}".strip()))
    card.field("Equity", Markup(f"{dollars(equity)} ({percent(gain, sign='+')})"))
    return card.field("Trades", Markup(f"{payload['trades']:,}"))


def _paused(payload: Mapping[str, Any]) -> Card:
    card = Card(f"⏸️ Forward test {payload['test']} paused", colour=NEUTRAL, budget=BUDGET)
    text = f"It opens nothing new; open positions stay watched{_by(payload)}."
    return card.describe(Markup(text))


def _resumed(payload: Mapping[str, Any]) -> Card:
    card = Card(f"▶️ Forward test {payload['test']} goes on", colour=ACCENT, budget=BUDGET)
    return card.describe(Markup(f"It trades again{_by(payload)}."))


def _faulted(payload: Mapping[str, Any]) -> Card:
    card = Card(f"🛑 Forward test {payload['test']} is faulted", colour=LOSS, budget=BUDGET)
    held = payload["positions"]
    watched = f"{plural(held, 'open position')} stay watched.\n" if held else ""
    way = f"Mend it, then `/forward resume test:{plain(payload['test'], 40)}`"
    reason = _short(payload["reason"], 300)
    return card.describe(Markup(f"{reason}\n\n{watched}{way}"))


def _stalled(payload: Mapping[str, Any]) -> Card:
    card = Card(f"⚠️ No candles for {payload['test']}", colour=WARNING, budget=BUDGET)
    last = payload["last_open"]
    since = f" The last one closed {moment(last + MINUTE_MS, 'R')}." if last else ""
    text = f"Nothing for {escape(payload['symbol'])} in {seconds(payload['silent_s'])}.{since}"
    return card.describe(Markup(f"{text} Missed candles are made up for."))


def _back(payload: Mapping[str, Any]) -> Card:
    card = Card(f"✅ Candles for {payload['test']} again", colour=GAIN, budget=BUDGET)
    silent = seconds(payload["silent_s"])
    return card.describe(Markup(f"{escape(payload['symbol'])} is back after {silent}."))


def _recovery(payload: Mapping[str, Any]) -> Card:
    card = Card("🔄 Back after a restart", colour=WARNING if payload["left"] else ACCENT)
    lines = []
    for test in payload["tests"]:
        span = f"{moment(test['first'])} to {moment(test['last'] + MINUTE_MS)}"
        made_up = f"{plural(test['candles'], 'candle')}, {plural(test['trades'], 'trade')}"
        lines.append(Markup(f"**{escape(test['name'])}**: {made_up} made up for ({span})"))
    for test in payload["left"]:
        reason = _short(test["reason"], 150)
        lines.append(Markup(f"🛑 **{escape(test['name'])}** could not be resumed: {reason}"))
    return card.describe(Markup(clip("\n".join(lines), BUDGET - 80)))


def _connection(payload: Mapping[str, Any]) -> Card:
    name, down = payload["exchange"], seconds(payload["down_s"])
    symbols = _short(", ".join(payload["symbols"]), 150)
    if payload["kind"] == "recovered":
        card = Card(f"✅ {name} can be reached again", colour=GAIN, budget=BUDGET)
        return card.describe(Markup(f"After {down} without a connection: {symbols}."))
    card = Card(f"⚠️ {name} can't be reached", colour=WARNING, budget=BUDGET)
    tries = plural(payload["attempts"], "attempt")
    reason = _short(payload["reason"], 150)
    return card.describe(Markup(f"{tries} in {down}: {reason}. Waiting: {symbols}."))


def _note(payload: Mapping[str, Any]) -> Card:
    colour = WARNING if payload["is_problem"] else ACCENT
    card = Card(clip(payload["title"], 100), colour=colour, budget=BUDGET)
    return card.describe(_short(payload["text"], 300))


def _short(text: str, limit: int) -> Markup:
    """Return text made safe within a limit; escaping may double its length."""
    return Markup(clip(escape(text), limit))


def _by(payload: Mapping[str, Any]) -> str:
    return f", by <@{payload['by']}>" if payload.get("by") else ""


_CARDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Card]]] = {
    TRADE_OPEN: _trade_opened,
    alerts.START: _started,
    alerts.STOP: _stopped,
    alerts.PAUSED: _paused,
    alerts.RESUMED: _resumed,
    alerts.FAULT: _faulted,
    alerts.STALL: _stalled,
    alerts.BACK: _back,
    alerts.RECOVERY: _recovery,
    alerts.CONNECTION: _connection,
    alerts.NOTE: _note,
}


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
    return Markup(f"{when} {_short(line_of(message), 150)}")


def _open_line(payload: Mapping[str, Any]) -> str:
    entry = price(payload["entry_price"], payload["symbol"])
    return f"{payload['side']} {payload['symbol']} opened at {entry}{_recovered(payload)}"


def _close_line(payload: Mapping[str, Any]) -> str:
    profit = f"{dollars(payload['pnl'], sign='+')} ({percent(payload['pnl_percent'], sign='+')})"
    why = reason_text(payload["exit_reason"])
    way = f"at {price(payload['exit_price'], payload['symbol'])}: {profit}, {why}"
    return f"{payload['side']} {payload['symbol']} closed {way}{_recovered(payload)}"


def _recovered(payload: Mapping[str, Any]) -> str:
    return ", recovered" if payload.get("recovered") else ""


_LINES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    TRADE_OPEN: _open_line,
    TRADE_CLOSE: _close_line,
    alerts.START: lambda p: f"{p['test']} started: {p['strategy']} on {p['symbol']}",
    alerts.STOP: lambda p: f"{p['test']} stopped, equity {dollars(p['equity'])}",
    alerts.PAUSED: lambda p: f"{p['test']} paused",
    alerts.RESUMED: lambda p: f"{p['test']} goes on",
    alerts.FAULT: lambda p: f"{p['test']} is faulted: {p['reason']}",
    alerts.STALL: lambda p: f"{p['test']}: no candles for {seconds(p['silent_s'])}",
    alerts.BACK: lambda p: f"{p['test']}: candles again after {seconds(p['silent_s'])}",
    alerts.RECOVERY: lambda p: f"back after a restart: {len(p['tests'])} tests made up for candles",
    alerts.CONNECTION: lambda p: f"{p['exchange']} {p['kind']} after {seconds(p['down_s'])}",
    alerts.NOTE: lambda p: f"{p['title']}: {p['text']}",
}
