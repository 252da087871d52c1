"""`jesse backtest`: run a strategy, print its summary, write JSON and charts where asked."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bot.console.common import ProgressBar, key_values, progress_bar, settings_from, write_json
from bot.errors import InvalidInput
from bot.services.backtests import BacktestJob, execute_backtest
from bot.services.market_data import MarketData
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.cache import CandleStore
from engine.backtest import BacktestRequest
from engine.errors import InvalidParams
from engine.results import BacktestResults
from engine.strategy import Strategy


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
    with progress_bar("candles") as show:
        job = prepare_job(arguments, settings, show)
        return execute_backtest(job, lambda report: show(*report))


def prepare_job(
    arguments: argparse.Namespace,
    settings: Settings,
    show: ProgressBar,
    *,
    beside: Iterable[Mapping[str, str]] = (),
) -> BacktestJob:
    """Check what was asked for and make sure that its candles are cached.

    Its parameters must fit to one of the sets `beside` which they will stand, where there are any.
    """
    strategy = StrategyLibrary(settings.strategies_folder).load(arguments.strategy).strategy
    params = key_values(arguments.param)
    _check_params(strategy, params, beside)
    market = MarketData(settings, CandleStore(settings.candles_dir, on_problem=_warn))
    symbol = market.key(settings.symbol).symbol
    request = _request(settings, arguments, params, symbol)
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
    request = replace(request, start=prepared.start, end=prepared.end)
    return BacktestJob(request, prepared.timeframe, settings.data_dir, settings.strategies_folder)


def _check_params(
    strategy: type[Strategy], params: Mapping[str, str], beside: Iterable[Mapping[str, str]]
) -> None:
    for others in beside:
        with contextlib.suppress(InvalidParams):
            strategy.make_params({**others, **params})
            return
    strategy.make_params(params)


def _request(
    settings: Settings, arguments: argparse.Namespace, params: dict[str, str], symbol: str
) -> BacktestRequest:
    """Make the request before any candle is fetched: what no run could use is refused at once."""
    charts = getattr(arguments, "charts", None)
    if charts and charts.exists() and not charts.is_dir():
        raise InvalidInput(f"--charts {charts} is a file: name a folder")
    return BacktestRequest(
        strategy=arguments.strategy,
        params=params,
        symbol=symbol,
        exchange=settings.exchange,
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

    files = ChartFiles(find_chromium(settings.chromium_path))
    try:
        charts = files.write_all(results, folder)
    except OSError as error:
        raise InvalidInput(f"charts can't be written to {folder}: {error.strerror}") from error
    for path in charts.paths:
        print(f"chart: {path}")
    for notice in charts.notices:
        print(notice, file=sys.stderr)


def _warn(problem: str) -> None:
    print(f"warning: {problem}", file=sys.stderr)
