"""`jesse demo`: the main job with no account, on a simulated exchange, start to finish."""

import argparse
import asyncio
from pathlib import Path
from typing import Final

from bot.console.backtest import write_charts
from bot.console.common import progress_bar, settings_from
from bot.services.backtests import BacktestJob, execute_backtest
from bot.services.market_data import MarketData, Prepared
from bot.services.strategies import StrategyLibrary
from bot.settings import Settings
from data.cache import CandleStore
from data.simulator.server import SimulatedExchange
from engine.backtest import BacktestRequest

STRATEGY: Final = "ma_crossover"
PERIOD: Final = "1y"
SEED: Final = 1


def run(arguments: argparse.Namespace) -> int:
    """Fetch simulated candles, backtest on them and show the result."""
    settings = settings_from(arguments)
    print("Jesse's demo: a simulated exchange on this machine; its prices are not real.\n")
    prepared, demo_settings = asyncio.run(_prepare(settings))
    job = BacktestJob(
        BacktestRequest(
            strategy=STRATEGY,
            symbol=demo_settings.symbol,
            exchange=demo_settings.exchange,
            start=prepared.start,
            end=prepared.end,
            slippage_bps=1.0,
        ),
        prepared.timeframe,
        demo_settings.data_dir,
        demo_settings.strategies_folder,
    )
    with progress_bar("candles") as show:
        results = execute_backtest(job, lambda report: show(*report))
    print(results.summary())
    folder: Path = demo_settings.data_dir / "demo"
    write_charts(results, demo_settings, folder)
    return 0


async def _prepare(settings: Settings) -> tuple[Prepared, Settings]:
    """Fetch a year of simulated candles into the cache."""
    async with SimulatedExchange(seed=SEED, rate_limit=False) as exchange:
        changed = settings.model_copy(
            update={
                "exchange": "simulated",
                "exchange_rest_url": exchange.rest_url,
                "exchange_ws_url": exchange.ws_url,
            }
        )
        market = MarketData(changed, CandleStore(changed.candles_dir))
        strategy = StrategyLibrary(changed.strategies_folder).load(STRATEGY).strategy
        with progress_bar("candles") as show:
            prepared = await market.prepare(
                strategy,
                market.key(changed.symbol).symbol,
                PERIOD,
                None,
                on_progress=lambda p: show("fetching", p.done_candles, p.total_candles),
            )
    return prepared, changed
