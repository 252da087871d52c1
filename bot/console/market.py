"""`jesse fetch-data` and `jesse import-data`: fill the candle cache from an exchange or files."""

import argparse
import asyncio
import sys

from bot.console.common import progress_bar, settings_from
from bot.services.market_data import MarketData
from data.cache import CandleStore, Coverage
from data.importer import import_candles
from engine.candles import format_time


def fetch(arguments: argparse.Namespace) -> int:
    """Fetch candles from the exchange; what was fetched before Ctrl-C stays."""
    settings = settings_from(arguments)
    store = CandleStore(settings.candles_dir, on_problem=_warn)
    market = MarketData(settings, store)
    key = market.key(settings.symbol, arguments.timeframe)
    with progress_bar("candles") as show:
        summary = asyncio.run(
            market.fetch(
                key,
                arguments.start,
                arguments.end,
                on_progress=lambda p: show("fetching", p.done_candles, p.total_candles),
            )
        )
    print(f"{key.exchange} {key.symbol} {key.timeframe}: {summary.fetched:,} candles fetched")
    for notice in summary.notices:
        print(notice)
    print(describe(store.coverage(key)))
    return 0


def import_files(arguments: argparse.Namespace) -> int:
    """Import candle files into the cache."""
    settings = settings_from(arguments)
    store = CandleStore(settings.candles_dir, on_problem=_warn)
    key = MarketData(settings, store).key(settings.symbol, arguments.timeframe)
    with progress_bar("files") as show:
        summary = import_candles(
            arguments.files, key, store, progress=lambda done, total: show("importing", done, total)
        )
    print(
        f"{key.exchange} {key.symbol} {key.timeframe}: {summary.candles:,} candles read from "
        f"{summary.files} files, {summary.added:,} of them new"
    )
    if summary.duplicates or summary.reordered:
        print(
            f"{summary.duplicates:,} exact duplicates dropped, {summary.reordered:,} files sorted"
        )
    print(describe(store.coverage(key)))
    for rejected in summary.rejected:
        print(f"error: {rejected.reason}", file=sys.stderr)
    return 1 if summary.rejected else 0


def describe(coverage: Coverage | None) -> str:
    """Return in one or a few lines what the cache holds of a series."""
    if coverage is None:
        return "cache: no candles"
    missing = sum(gap.missing for gap in coverage.gaps)
    lines = [
        f"cache: {coverage.candles:,} candles, {format_time(coverage.first)} to "
        f"{format_time(coverage.last)}, {missing:,} missing in {len(coverage.gaps)} gaps"
    ]
    if coverage.volume_delta_source:
        lines.append(f"volume delta: {coverage.volume_delta_source}")
    return "\n".join(lines)


def _warn(problem: str) -> None:
    print(f"warning: {problem}", file=sys.stderr)
