"""Which alerts are on, silent or off, as embeds. Pure."""

from collections.abc import Sequence
from typing import Final

import discord

from bot.services.alert_settings import AlertChange, AlertState, AlertStates, AlertTopic
from bot.ui.limits import Card, Markup, escape
from bot.ui.theme import ACCENT, NEUTRAL, WARNING

_SIGNS: Final = {AlertState.ON: "🔔", AlertState.SILENT: "🔕", AlertState.OFF: "🚫"}
_COME: Final = {
    AlertState.ON: "They come with a notification.",
    AlertState.SILENT: "They come without a notification; nothing is left out.",
    AlertState.OFF: "They aren't sent any more, here or in threads, also not those that wait; they"
    " are only kept on record.",
}


def settings_embed(
    states: AlertStates, topics: Sequence[AlertTopic], *, set_command: str
) -> discord.Embed:
    """Return the state of every kind of alert."""
    is_any_off = any(states.of_topic(topic) is AlertState.OFF for topic in topics)
    card = Card("Alerts", colour=WARNING if is_any_off else ACCENT)
    lines = [_line(topic, states.of_topic(topic)) for topic in topics]
    lines += [
        Markup(""),
        Markup(f"-# Silent ones come without a notification, those that are off not at all."
               f" Operators change it with {set_command}."),
        Markup("-# What repeats is told once, then counted: “×5 since …” says how often it came."),
    ]  # fmt: skip
    return card.list(lines).build()


def change_embed(change: AlertChange) -> discord.Embed:
    """Return what was set, and what it means."""
    topic, state = change.topic, change.after
    colour = {AlertState.ON: ACCENT, AlertState.SILENT: NEUTRAL, AlertState.OFF: WARNING}[state]
    card = Card(f"{_SIGNS[state]} {topic.title}: {state}", colour=colour)
    lines = [Markup(_COME[state])]
    if state is AlertState.OFF:
        lines.append(Markup(f"{topic.when_off[0].upper()}{topic.when_off[1:]}"))
    if not topic.may_be_off:
        lines.append(Markup("They can be silent, but never off."))
    before = "It was so before" if change.before is state else f"Before: {change.before}"
    lines.append(Markup(f"{before}. It holds at once, also after a restart."))
    return card.list(lines).build()


def _line(topic: AlertTopic, state: AlertState) -> Markup:
    never = "" if topic.may_be_off else "; never off"
    return Markup(
        f"{_SIGNS[state]} **{escape(topic.title)}**: {state}\n-# {escape(topic.tells)}{never}"
    )
