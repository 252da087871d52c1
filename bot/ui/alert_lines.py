"""Alerts as lines of plain text, for digests, tables and where nothing better is accepted. Pure."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from bot import alerts
from bot.services.alert_kinds import SUMMARY_DAILY, SUMMARY_WEEKLY
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from bot.ui.formats import dollars, percent, seconds
from bot.ui.forward_formats import price, reason_text
from bot.ui.repeats import repeats_text
from bot.ui.summary import summary_line
from data.storage.records import OutboxMessage


def mark_of(message: OutboxMessage) -> str:
    """Return the name of an alert, unique in its database."""
    return f"alert {message.id}"


def line_of(message: OutboxMessage) -> str:
    """Return an alert on one line of plain text; never raises."""
    payload = message.payload
    try:
        return f"{_LINES[message.kind](payload)}{repeats_text(payload)}"
    except (KeyError, TypeError, ValueError):
        return f"{message.kind}: {json.dumps(dict(payload), default=str)}"


def time_of(message: OutboxMessage) -> int:
    """Return the market time (ms) that an alert tells of, else when it was noted."""
    return int(message.payload.get("time") or message.created_at)


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
    SUMMARY_DAILY: partial(summary_line, "daily summary"),
    SUMMARY_WEEKLY: partial(summary_line, "weekly summary"),
}
