"""Failures of a user's code, told so that its author can mend them."""

import sys
import traceback

from engine.errors import StrategyFailed
from engine.strategy import Strategy


def describe_failure(error: Exception, strategy: Strategy) -> StrategyFailed:
    """Name the file and line of the user's code; our own frames say nothing to its author."""
    theirs = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if f.filename == theirs), frames[-1])
    name = type(strategy).__name__
    place = f"{frame.filename}, line {frame.lineno}, in {frame.name}"
    return StrategyFailed(f"{name} raised {type(error).__name__}: {error} ({place})")
