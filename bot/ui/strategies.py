"""Strategies as embeds: the list, and one in full. Pure; docstrings are other people's text."""

from collections.abc import Sequence

import discord

from bot.services.strategies import StrategyInfo
from bot.services.strategy_params import ParamInfo
from bot.ui.formats import plural
from bot.ui.limits import Card, Markup, clip, code, escape
from bot.ui.theme import ACCENT, WARNING

_SUMMARY = 200
_DESCRIPTION = 2000
_BROKEN = 400


def strategy_list(
    strategies: Sequence[StrategyInfo], broken: Sequence[str], *, folder: str
) -> discord.Embed:
    """Return all strategies with a line each, and the files that can't be loaded."""
    card = Card(plural(len(strategies), "strategy", "strategies"), colour=ACCENT)
    lines = [
        Markup(
            f"**{escape(clip(info.name, 100))}** · {escape(', '.join(info.timeframes))}\n"
            f"{escape(clip(info.summary, _SUMMARY)) or 'no description'}"
        )
        for info in strategies
    ]
    if not lines:
        lines = [Markup(f"There are none yet: put a strategy file into {code(folder)}.")]
    card.list(lines, more="strategies")
    problems = [Markup(f"⚠️ {escape(clip(text, _BROKEN))}") for text in broken]
    card.field_list("Can't be loaded", problems, more="files")
    return card.footer("/strategies name: shows one with its parameters").build()


def strategy_page(info: StrategyInfo) -> discord.Embed:
    """Return one strategy: what it does, its timeframes and every parameter."""
    card = Card(info.name, colour=ACCENT)
    card.describe(escape(clip(info.description, _DESCRIPTION)) or Markup("It has no description."))
    card.field("Timeframes", escape(", ".join(info.timeframes)))
    card.field("Parameters", Markup(f"{len(info.params):,}"))
    for number, part in enumerate(_parts([param_line(param) for param in info.params])):
        card.field_list("Parameters" if number == 0 else "…", part, more="parameters")
    return card.footer(f"/backtest strategy:{info.name}").build()


def broken_strategy(name: str, problem: str) -> discord.Embed:
    """Return what is wrong with a strategy file."""
    card = Card(f"{name} can't be loaded", colour=WARNING)
    return card.describe(escape(problem)).build()


def param_line(param: ParamInfo) -> Markup:
    """Return a parameter with its default, range and description."""
    limits = f" ({escape(param.range)})" if param.range else ""
    about = f" · {escape(clip(param.description, 120))}" if param.description else ""
    default = code(f"{param.name}={param.default_text}", 80)
    needed = ", required" if param.is_required else ""
    return Markup(f"{default} {escape(param.type)}{needed}{limits}{about}")


def _parts(lines: Sequence[Markup], count: int = 12) -> list[list[Markup]]:
    return [list(lines[first : first + count]) for first in range(0, len(lines), count)]
