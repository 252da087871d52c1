"""The card of each kind of alert. Pure: stored facts in, cards out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from bot import alerts
from bot.services.alert_kinds import SUMMARY_DAILY, SUMMARY_WEEKLY
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.ui.formats import dollars, moment, percent, plural, seconds
from bot.ui.forward_formats import amount, level, price, reason_text, side_title
from bot.ui.limits import Card, Markup, clip, code, escape, plain
from bot.ui.summary import summary_card
from bot.ui.theme import ACCENT, GAIN, LOSS, NEUTRAL, WARNING, outcome_colour
from data.storage.records import OutboxMessage
from engine.summary import format_duration
from engine.timeframe import MINUTE_MS

# Ten of them share the 6000 characters of a message.
BUDGET: Final = 590


@dataclass(frozen=True, slots=True)
class Totals:
    """A test up to one of its trades: how many, how many won, and their net profit in USD."""

    trades: int
    won: int
    pnl: float
    initial_balance: float


def card_of(message: OutboxMessage, totals: Totals | None = None) -> Card:
    """Return an alert without its footer; `totals` are shown with a closed trade.

    Raises:
        KeyError, TypeError, ValueError: the alert lacks facts, or is of an unknown kind.
    """
    if message.kind == TRADE_CLOSE:
        return _trade_closed(message.payload, totals)
    return _CARDS[message.kind](message.payload)


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


def _trade_closed(payload: Mapping[str, Any], totals: Totals | None) -> Card:
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
    return card.field("So far", _totals_text(payload, totals))


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
    lines = [f"{moment(payload['time'])} · {short(payload['strategy'], 60)}"]
    if payload.get("recovered"):
        lines.append("⏪ **recovered**: filled while I was away, where it would have been")
    return Markup("\n".join(lines))


def _started(payload: Mapping[str, Any]) -> Card:
    card = Card(f"▶️ Forward test {payload['test']} started", colour=ACCENT, budget=BUDGET)
    frames = escape(", ".join(payload["timeframes"]))
    what = f"**{short(payload['strategy'], 60)}** on {escape(payload['symbol'])}, {frames}"
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
    reason = short(payload["reason"], 300)
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
        reason = short(test["reason"], 150)
        lines.append(Markup(f"🛑 **{escape(test['name'])}** could not be resumed: {reason}"))
    return card.describe(Markup(clip("\n".join(lines), BUDGET - 80)))


def _connection(payload: Mapping[str, Any]) -> Card:
    name, down = payload["exchange"], seconds(payload["down_s"])
    symbols = short(", ".join(payload["symbols"]), 150)
    if payload["kind"] == "recovered":
        card = Card(f"✅ {name} can be reached again", colour=GAIN, budget=BUDGET)
        return card.describe(Markup(f"After {down} without a connection: {symbols}."))
    card = Card(f"⚠️ {name} can't be reached", colour=WARNING, budget=BUDGET)
    tries = plural(payload["attempts"], "attempt")
    reason = short(payload["reason"], 150)
    return card.describe(Markup(f"{tries} in {down}: {reason}. Waiting: {symbols}."))


def _note(payload: Mapping[str, Any]) -> Card:
    colour = WARNING if payload["is_problem"] else ACCENT
    card = Card(clip(payload["title"], 100), colour=colour, budget=BUDGET)
    return card.describe(short(payload["text"], 300))


def short(text: str, limit: int) -> Markup:
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
    SUMMARY_DAILY: partial(summary_card, "Daily summary"),
    SUMMARY_WEEKLY: partial(summary_card, "Weekly summary"),
}
