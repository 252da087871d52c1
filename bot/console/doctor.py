"""`jesse doctor`: check settings, exchange, browser and disk, and say how to mend each."""

import argparse
import asyncio

from bot.console.common import settings_from
from bot.services.health import Verdict, examine
from bot.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Print each finding; return 1 where there is a problem."""
    return asyncio.run(_examine(settings_from(arguments)))


async def _examine(settings: Settings) -> int:
    problems = 0
    async for finding in examine(settings):
        print(f"{finding.verdict:<8} {finding.name}: {finding.text}")
        if finding.mend:
            print(f"{'':<8} -> {finding.mend}")
        problems += finding.verdict is Verdict.PROBLEM
    return 1 if problems else 0
