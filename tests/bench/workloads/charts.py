"""Pictures of a run over all candles: from the warm browser, against the first one."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bot.charts.chromium import find_chromium
from bot.charts.equity import equity_figure
from bot.charts.renderer import PngRenderer
from bot.charts.trades import trades_figure
from bot.services.strategies import StrategyLibrary
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from tests.bench.market import load
from tests.bench.measuring import ROOT, Context, Meter, Skipped, WrongResult, timed
from tests.bench.peaks import largest_peak

_STRATEGY = "ma_crossover"
_PNG = b"\x89PNG\r\n\x1a\n"


@contextmanager
def ours(context: Context, _option: str) -> Iterator[Meter]:
    """Draw with one browser that stays."""
    browser, figures = _prepare(context)
    with asyncio.Runner() as runner:
        renderer = PngRenderer(browser)

        def measure() -> Mapping[str, float]:
            return {name: runner.run(_draw(renderer, text)) for name, text in figures.items()}

        try:
            yield Meter(measure, largest_peak)
        finally:
            runner.run(renderer.close())


@contextmanager
def reference(context: Context, _option: str) -> Iterator[Meter]:
    """Start a browser for each picture."""
    browser, figures = _prepare(context)

    def measure() -> Mapping[str, float]:
        return {name: asyncio.run(_draw_first(browser, text)) for name, text in figures.items()}

    yield Meter(measure, largest_peak)


def _prepare(context: Context) -> tuple[Path, Mapping[str, str]]:
    browser = find_chromium()
    if browser is None:
        raise Skipped("there is no Chromium (make chromium)")
    strategy = StrategyLibrary(ROOT / "strategies").load(_STRATEGY).strategy
    results = run_backtest(BacktestRequest(_STRATEGY), strategy, BacktestData(load(context)))
    figures = {"equity": equity_figure(results), "trades": trades_figure(results)}
    return browser, {name: figure.to_json() for name, figure in figures.items()}


async def _draw(renderer: PngRenderer, figure: str) -> float:
    with timed() as watch:
        picture = await renderer.render(figure)
    if not picture.startswith(_PNG):
        raise WrongResult("no PNG came from the browser")
    return watch.seconds


async def _draw_first(browser: Path, figure: str) -> float:
    async with PngRenderer(browser) as renderer:
        return await _draw(renderer, figure)
