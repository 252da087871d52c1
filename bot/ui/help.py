"""The help page. Pure: what goes in is shown."""

from collections.abc import Callable, Sequence
from typing import Final

import discord

from bot.ui.limits import Card, Markup, escape
from bot.ui.theme import ACCENT

_GROUPS: Final = {"forward": "Forward tests", "alerts": "Alerts", "schedule": "Scheduled work"}


def help_embed(
    commands: Sequence[tuple[str, str]], *, mention: Callable[[str], str], may_operate: bool
) -> discord.Embed:
    """Return first steps and the commands; `commands` are mentions with descriptions."""
    steps = [
        f"**1.** {mention('strategies')} shows what can be tested, with each parameter.",
        f"**2.** {mention('backtest')} with `strategy:ma_crossover` and `start:1y` runs it over"
        " the last year. Missing candles are fetched first.",
        "**3.** Read the result, then press **Run again** to change parameters,"
        " or **Trades CSV** and **Interactive charts** to look closer.",
        f"**4.** {mention('forward start')} trades it on live prices with paper money, in a thread"
        f" of its own; {mention('forward report')} compares that with the backtest.",
    ]
    if not may_operate:
        steps.append(
            "-# You may read here. Running backtests and forward tests and fetching candles needs"
            " the operator role."
        )
    card = Card("Research strategies from this channel", colour=ACCENT)
    card.list([Markup(step) for step in steps])
    lines = [Markup(f"{name} – {escape(text)}") for name, text in sorted(commands)]
    groups = {name: [line for line in lines if _is_of(name, line)] for name in _GROUPS}
    in_groups = {line for group in groups.values() for line in group}
    card.field_list("Commands", [line for line in lines if line not in in_groups])
    for name, group in groups.items():
        card.field_list(_GROUPS[name], group)
    card.field_list(
        "Good to know",
        [
            Markup("Times can be `2024-01-31`, `2024-01`, or a length back from now: `90d`, `1y`."),
            Markup("Parameters are typed as `fast_period=20 slow_period=50`."),
            Markup("Times are shown in your own time zone; candles are counted in UTC."),
        ],
    )
    return card.build()


def _is_of(group: str, line: Markup) -> bool:
    return line.startswith((f"</{group} ", f"`/{group} "))
