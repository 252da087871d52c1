"""A finished check as an embed. Pure; the findings are put into words by bot.services."""

from typing import Final

import discord

from bot.services.check_findings import Finding, findings
from bot.services.check_jobs import CheckOutcome
from bot.ui.formats import period
from bot.ui.limits import Card, Markup, clip, escape
from bot.ui.theme import GAIN, WARNING
from engine.summary import SIMULATED_LABEL

_MARKS: Final = {True: "✅", False: "❌", None: "➖"}
_LONGEST: Final = 900


def check_embed(outcome: CheckOutcome) -> discord.Embed:
    """Return what holds and what doesn't, with the candle or line where it doesn't."""
    check = outcome.check
    verdict = "all that was checked holds" if check.holds else "something is wrong"
    name = f"{clip(outcome.ask.strategy, 80)} on {outcome.symbol}"
    card = Card(f"{name}: {verdict}", colour=GAIN if check.holds else WARNING)
    lines = [f"{period(check.start, check.end)} · default parameters"]
    if outcome.exchange == "simulated":
        lines.insert(0, f"🧪 *{SIMULATED_LABEL}*")
    card.describe(Markup("\n".join(lines)))
    for finding in findings(check):
        card.field(f"{_MARKS[finding.holds]} {finding.title}", _text(finding), inline=False)
    return card.footer("A check sees what happens on these candles; times are in UTC").build()


def _text(finding: Finding) -> Markup:
    text = escape(clip(finding.text, _LONGEST))
    return Markup(text[:1].upper() + text[1:])
