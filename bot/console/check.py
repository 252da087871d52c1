"""`jesse check`: verify what a strategy claims with its `wake`, on cached candles."""

import argparse

from bot.console.backtest import prepare_job
from bot.console.common import progress_bar, settings_from
from bot.services.check import WakeCheck, check_wake
from engine.candles import format_time


def run(arguments: argparse.Namespace) -> int:
    """Compare the full run with the sparse one; return 1 where the claim is wrong."""
    settings = settings_from(arguments)
    with progress_bar("candles") as show:
        job = prepare_job(arguments, settings, show)
        found = check_wake(job, lambda report: show(*report))
    print(describe(arguments.strategy, found))
    return 0 if found.holds else 1


def describe(strategy: str, found: WakeCheck) -> str:
    """Return what came of it in a sentence or two."""
    if not found.has_wake:
        return f"{strategy} has no wake: it is called at all of {found.closes:,} closes"
    if found.missed is not None:
        return (
            f"{strategy}: wake is wrong at the candle of {format_time(found.missed)}: "
            f"on_candle decides something there, and wake says it would not"
        )
    if not found.same_results:
        return (
            f"{strategy}: the trades differ though wake misses no decision: "
            f"does on_candle remember something from calls in which it decides nothing?"
        )
    return (
        f"{strategy}: wake holds: called at {found.calls:,} of {found.closes:,} closes, "
        f"with the same trades"
    )
