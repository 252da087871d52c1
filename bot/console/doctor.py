"""`jesse doctor`: check settings, machine, exchange and Discord, and say how to mend each."""

import argparse
import asyncio
from collections.abc import AsyncIterator

from bot.console.common import settings_from
from bot.discord_check import check_discord
from bot.services.health import Finding, Verdict, examine
from bot.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    """Print each finding; return 1 where there is a problem."""
    return asyncio.run(_examine(settings_from(arguments)))


async def _examine(settings: Settings) -> int:
    problems = 0
    async for finding in _all_findings(settings):
        print(f"{finding.verdict:<8} {finding.name}: {finding.text}", flush=True)
        if finding.mend:
            print(f"{'':<8} -> {finding.mend}")
        problems += finding.verdict is Verdict.PROBLEM
    return 1 if problems else 0


async def _all_findings(settings: Settings) -> AsyncIterator[Finding]:
    async for finding in examine(settings):
        yield finding
    async for finding in check_discord(settings):
        yield finding
