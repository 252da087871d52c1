"""Failures of a user's code, told so that its author can mend them."""

import sys
import traceback
from typing import Final

from engine.errors import StrategyFailed
from engine.strategy import Strategy

# With what a user's code may end: exit() in it must not end the bot and every other test in it.
RAISED: Final = (Exception, SystemExit)


def describe_failure(
    error: BaseException, strategy: Strategy | type[Strategy], method: str = ""
) -> StrategyFailed:
    """Name the file and line of the user's code; our own frames say nothing to its author.

    `method` is named where the line alone doesn't tell what the code was asked for.
    """
    kind = strategy if isinstance(strategy, type) else type(strategy)
    theirs = getattr(sys.modules.get(kind.__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if f.filename == theirs), frames[-1])
    name = f"{kind.__name__}.{method}" if method else kind.__name__
    place = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
    return StrategyFailed(f"{name} raised {type(error).__name__}: {error} ({place})")
