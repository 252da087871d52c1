"""`jesse strategies`: what there is to run."""

import argparse
import sys
from typing import Final

from bot.console.common import settings_from
from bot.services.strategies import StrategyInfo, StrategyLibrary

_UNDESCRIBED: Final = "no description"


def run(arguments: argparse.Namespace) -> int:
    """List all strategies, or describe one."""
    library = StrategyLibrary(settings_from(arguments).strategies_folder)
    if arguments.name:
        print(describe(library.load(arguments.name).info))
        return 0
    loaded, broken = library.load_all()
    width = max((len(item.name) for item in loaded), default=0)
    for item in loaded:
        info = item.info
        summary = info.summary or _UNDESCRIBED
        print(f"{item.name:<{width}}  {','.join(info.timeframes):<8}  {summary}")
    if not loaded and not broken:
        print(f"no strategy files in {library.folder}")
    for message in broken:
        print(message, file=sys.stderr)
    return 1 if broken else 0


def describe(info: StrategyInfo) -> str:
    """Return a strategy's text and its parameters."""
    lines = [f"{info.name}  ({', '.join(info.timeframes)})", "", info.description or _UNDESCRIBED]
    if info.params:
        lines += ["", "parameters (--param name=value):"]
    for param in info.params:
        limits = f" ({param.range})" if param.range else ""
        default = "(required)" if param.is_required else f"= {param.default_text or 'none'}"
        lines.append(f"  {param.name} {default}{limits}  {param.description}".rstrip())
    return "\n".join(lines)
