"""Forward tests as embeds: start, live status, list, and what stopping would do. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import discord

from bot.services.forward.overview import ForwardView
from bot.services.forward.runner import ForwardRunner
from bot.ui.formats import dollars, moment, percent, plural
from bot.ui.forward_positions import position_line
from bot.ui.limits import Card, Markup, clip, code, escape
from bot.ui.theme import ACCENT, LOSS, NEUTRAL, WAITING, WARNING, outcome_colour
from data.storage.records import ForwardTest, ForwardTestStatus
from engine.candles import format_time
from engine.timeframe import MINUTE_MS

_SIGNS: Final[Mapping[ForwardTestStatus, str]] = {
    ForwardTestStatus.RUNNING: "▶️",
    ForwardTestStatus.PAUSED: "⏸️",
    ForwardTestStatus.STOPPED: "⏹️",
    ForwardTestStatus.FAULTED: "🛑",
}
_LISTED: Final = 40


def started_embed(test: ForwardTest) -> discord.Embed:
    """Return the message in the channel that a test's thread hangs on."""
    card = Card(f"▶️ Forward test {test.name}", colour=ACCENT)
    what = f"**{escape(test.strategy)}** on {escape(test.symbol)}"
    lines = [f"{what}, paper money on live prices of {escape(test.exchange)}{simulated(test)}"]
    if test.created_by:
        lines.append(f"started by <@{test.created_by}> {moment(test.created_at, 'R')}")
    card.list([Markup(line) for line in lines])
    card.field("Balance", dollars(test.config["initial_balance"]))
    params = " ".join(f"{name}={value}" for name, value in test.params.items())
    if params:
        card.field("Parameters", code(params, 900), inline=False)
    return card.build()


def status_embed(view: ForwardView) -> discord.Embed:
    """Return how a test stands; the same from one candle to the next where nothing moved."""
    test = view.test
    card = Card(f"{_SIGNS[test.status]} {test.name}", colour=_colour(view))
    card.describe(_headline(view))
    card.field("Equity", Markup(f"**{dollars(view.equity)}**\n{_gain(view)}"))
    card.field("Balance", dollars(view.balance))
    card.field("Trades", Markup(f"{view.trades:,}"))
    lines = [position_line(position, test.symbol) for position in view.positions]
    card.field_list("Open positions", lines or [Markup("none")], more="positions")
    card.field("Last candle", _time(view.last_close))
    if view.is_live and test.status is not ForwardTestStatus.STOPPED:
        card.field(f"Next close ({view.timeframe})", _time(view.next_close))
    card.field("Stream", Markup(_stream(view)))
    if test.fault:
        card.field("Fault", escape(clip(test.fault, 700)), inline=False)
    return card.footer(_footer(view)).build()


def list_embed(views: Sequence[ForwardView], *, stopped: int) -> discord.Embed:
    """Return all tests that are alive on one line each; `stopped` is how many have ended."""
    card = Card("Forward tests", colour=ACCENT if views else NEUTRAL)
    lines = [_list_line(view) for view in views[:_LISTED]]
    card.list(lines or [Markup("None is running: start one with `/forward start`.")], more="tests")
    if stopped:
        card.footer(f"{plural(stopped, 'more test')} stopped: /forward status test:NAME shows one")
    return card.build()


def stop_preview(view: ForwardView, *, close_positions: bool) -> discord.Embed:
    """Return what stopping a test would do."""
    test, held = view.test, view.positions
    card = Card(f"Stop {test.name}?", colour=WARNING)
    lines = [Markup(f"{escape(test.strategy)} on {escape(test.symbol)} ends for good.")]
    if held and close_positions and view.is_live:
        total = dollars(view.unrealized_usd, sign="+")
        what = plural(len(held), "open position")
        lines.append(Markup(f"**{what} will be closed at the market**, now {total} unrealised:"))
    elif held:
        what = plural(len(held), "open position")
        lines.append(Markup(f"**{what} will be left as they are, no longer watched:**"))
    else:
        lines.append(Markup("No position is open."))
    lines += [position_line(position, test.symbol) for position in held]
    if held and close_positions and not view.is_live:
        lines.append(Markup("⚠️ It isn't trading now: they can't be closed, only left."))
    card.list(lines, more="positions")
    card.field("Equity", Markup(f"{dollars(view.equity)} ({_gain(view)})"))
    return card.field("Trades", Markup(f"{view.trades:,}")).build()


def done_embed(text: Markup, view: ForwardView) -> discord.Embed:
    """Return that something was done to a test, and how it stands now."""
    card = Card(f"{_SIGNS[view.test.status]} {view.test.name}", colour=_colour(view))
    card.describe(text)
    return card.field("Equity", Markup(f"{dollars(view.equity)} ({_gain(view)})")).build()


def begun_embed(view: ForwardView) -> discord.Embed:
    """Return that a test was started, and how it stands now."""
    text = "It trades from this minute on; its thread comes in a moment."
    if not view.is_live:
        text = "It is stored and starts as soon as the exchange can be reached."
    return done_embed(Markup(text), view)


def forward_lines(
    tests: Sequence[ForwardTest], runners: Sequence[ForwardRunner], *, waiting_alerts: int
) -> list[Markup]:
    """Return each test and how its stream is doing on one line, then the alerts not sent yet."""
    running = {runner.session.test.id: runner for runner in runners}
    lines = [_health_line(test, running.get(test.id)) for test in tests]
    if waiting_alerts:
        lines.append(Markup(f"✉️ {plural(waiting_alerts, 'alert')} not sent yet"))
    return lines


def _health_line(test: ForwardTest, runner: ForwardRunner | None) -> Markup:
    head = f"{_SIGNS[test.status]} {escape(test.name)} ({escape(test.symbol)})"
    if runner is None:
        return Markup(f"{head}: ⚠️ not running in this process")
    last = runner.session.last_open_time
    candle = f"candle {moment(last + MINUTE_MS, 'R')}" if last else "no candle yet"
    down = runner.down_since
    stream = f", ⚠️ stream down since {moment(down, 'T')}" if down is not None else ""
    return Markup(f"{head}: {candle}{stream}")


def simulated(test: ForwardTest) -> str:
    """Return the words that tell simulated prices from real ones."""
    return " · 🧪 *simulated prices, not a real market*" if test.exchange == "simulated" else ""


def _headline(view: ForwardView) -> Markup:
    test = view.test
    head = f"**{escape(test.strategy)}** on {escape(test.symbol)} · {test.status}{simulated(test)}"
    since = f"since {moment(view.config.started_at)}"
    return Markup(f"{head}\n{since}, from {dollars(view.config.initial_balance)}")


def _colour(view: ForwardView) -> int:
    status = view.test.status
    if status is ForwardTestStatus.FAULTED:
        return LOSS
    if status is ForwardTestStatus.PAUSED:
        return WAITING
    return outcome_colour(view.equity - view.config.initial_balance)


def _gain(view: ForwardView) -> Markup:
    return percent(view.return_percent, sign="+")


def _stream(view: ForwardView) -> str:
    if view.test.status is ForwardTestStatus.STOPPED:
        return "closed"
    if not view.is_live:
        return "⚠️ not running in this process"
    if view.down_since is not None:
        return f"⚠️ down since {moment(view.down_since, 'T')}"
    return "live"


def _time(time: int | None) -> Markup | None:
    return None if time is None else Markup(f"{moment(time, 'T')}\n{moment(time, 'R')}")


def _footer(view: ForwardView) -> str:
    last = f" · candle {format_time(view.last_close)}" if view.last_close is not None else ""
    return f"forward test {view.test.id}{last}"


def _list_line(view: ForwardView) -> Markup:
    test = view.test
    parts = [
        f"{_SIGNS[test.status]} **{escape(test.name)}** {escape(test.strategy)} on"
        f" {escape(test.symbol)}",
        f"{dollars(view.equity)} ({_gain(view)})",
        plural(view.trades, "trade"),
    ]
    if view.positions:
        profit = view.unrealized_usd
        known = "" if profit is None else f" {dollars(profit, sign='+')}"
        parts.append(f"{plural(len(view.positions), 'open position')}{known}")
    if test.fault:
        parts.append(escape(clip(test.fault, 100)))
    elif view.last_close is not None:
        parts.append(f"candle {moment(view.last_close, 'R')}")
    if test.thread_id:
        parts.append(f"<#{test.thread_id}>")
    return Markup(" · ".join(parts))
