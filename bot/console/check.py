"""`jesse check`: verify what a strategy promises, on cached candles."""

import argparse
from typing import Final

from bot.console.backtest import prepare_job
from bot.console.common import progress_bar, settings_from
from bot.services.check import check_job
from bot.services.check_findings import Finding, findings

_MARKS: Final = {True: "ok  ", False: "BAD ", None: "-   "}


def run(arguments: argparse.Namespace) -> int:
    """Compare runs of a strategy; return 1 where something isn't as it should be."""
    settings = settings_from(arguments)
    with progress_bar("candles") as show:
        job = prepare_job(arguments, settings, show)
        check = check_job(job, lambda report: show(*report))
    print(f"{arguments.strategy} on {job.request.symbol}")
    for finding in findings(check):
        print(describe(finding))
    return 0 if check.holds else 1


def describe(finding: Finding) -> str:
    """Return one finding on a line."""
    return f"{_MARKS[finding.holds]}{finding.title}: {finding.text}"
