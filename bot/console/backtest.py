"""`jesse backtest`: run a strategy, print its summary, write JSON and charts where asked."""

import argparse
import asyncio
import sys
from pathlib import Path

from bot.console.common import key_values, progress_bar, settings_from, write_json
from bot.errors import InvalidInput
from bot.services.backtests import BacktestJob, execute_backtest
from bot.services.market_data import MarketData
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.cache import CandleStore
from engine.backtest import BacktestRequest
from engine.results import BacktestResults


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; return the exit code."""
    settings = settings_from(arguments)
    results = backtest(arguments, settings)
    print(results.summary())
    if arguments.json:
        write_json(arguments.json, results.to_json())
        print(f"JSON: {arguments.json}")
    if arguments.charts:
        write_charts(results, settings, arguments.charts)
    return 0


def backtest(arguments: argparse.Namespace, settings: Settings) -> BacktestResults:
    """Prepare candles and run in this process, with a progress bar on standard error."""
    strategy = StrategyLibrary(settings.strategies_folder).load(arguments.strategy).strategy
    params = key_values(arguments.param)
    strategy.make_params(params)
    store = CandleStore(settings.candles_dir, on_problem=_warn)
    market = MarketData(settings, store)
    symbol = market.key(settings.symbol).symbol
    check_request(settings, arguments)
    with progress_bar("candles") as show:
        prepared = asyncio.run(
            market.prepare(
                strategy,
                symbol,
                arguments.start,
                arguments.end,
                offline=arguments.offline,
                on_progress=lambda p: show("fetching", p.done_candles, p.total_candles),
            )
        )
        for notice in prepared.fetched.notices if prepared.fetched else ():
            _warn(notice)
        request = BacktestRequest(
            strategy=arguments.strategy,
            params=params,
            symbol=symbol,
            exchange=settings.exchange,
            start=prepared.start,
            end=prepared.end,
            initial_balance=settings.initial_balance,
            fee_rate=settings.fee_rate,
            slippage_bps=settings.slippage_bps,
            max_leverage=settings.max_leverage,
            fill=arguments.fill,
        )
        job = BacktestJob(
            request, prepared.timeframe, settings.data_dir, settings.strategies_folder
        )
        return execute_backtest(job, lambda report: show(*report))


def check_request(settings: Settings, arguments: argparse.Namespace) -> None:
    """Refuse what no run could use before any candle is fetched."""
    if arguments.charts and arguments.charts.exists() and not arguments.charts.is_dir():
        raise InvalidInput(f"--charts {arguments.charts} is a file: name a folder")
    BacktestRequest(
        strategy=arguments.strategy,
        initial_balance=settings.initial_balance,
        fee_rate=settings.fee_rate,
        slippage_bps=settings.slippage_bps,
        max_leverage=settings.max_leverage,
        fill=arguments.fill,
    )


def write_charts(results: BacktestResults, settings: Settings, folder: Path) -> None:
    """Write all charts as HTML and PNG and print where they are."""
    from bot.charts.chromium import find_chromium
    from bot.charts.writer import ChartFiles

    charts = ChartFiles(find_chromium(settings.chromium_path)).write_all(results, folder)
    for path in charts.paths:
        print(f"chart: {path}")
    for notice in charts.notices:
        print(notice, file=sys.stderr)


def _warn(problem: str) -> None:
    print(f"warning: {problem}", file=sys.stderr)
