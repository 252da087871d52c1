"""Charts as files: pages that always work, and pictures where there is a browser.

The figures, and Plotly with them, are imported with the first chart, not with this module.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.charts.errors import ChartError, ChartUnavailable, UnknownFormat
from bot.charts.renderer import PngRenderer, write_png
from bot.charts.theme import PAGE, PICTURE, Medium
from engine.results import BacktestResults

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Draw = Callable[[BacktestResults, Medium], "Figure"]


@dataclass(frozen=True, slots=True)
class ChartSet:
    """What was written: files, and notices on what could not be, for people to read."""

    paths: tuple[Path, ...]
    notices: tuple[str, ...]


class ChartFiles:
    """Write charts to files, by the suffix of their names; the `ChartWriter` of results.

    `browser` draws the pictures; without one, pages are written still. Its methods block and must
    not be called from an event loop.
    """

    def __init__(self, browser: Path | None) -> None:
        self._browser = browser

    def write_equity(self, results: BacktestResults, path: Path) -> None:
        """Draw equity, drawdown and buy-and-hold to an `.html` or `.png` file.

        Raises:
            UnknownFormat: another suffix.
            ChartUnavailable: a picture is wanted and there is no browser.
            RenderFailed: the browser could not draw the picture.
        """
        self._write("equity", results, path)

    def write_trades(self, results: BacktestResults, path: Path) -> None:
        """Draw candles with entries and exits to an `.html` or `.png` file; raises as equity."""
        self._write("trades", results, path)

    def write_monthly(self, results: BacktestResults, path: Path) -> None:
        """Draw the returns of months and years to an `.html` or `.png` file; raises as equity."""
        self._write("monthly", results, path)

    def write_all(self, results: BacktestResults, folder: Path) -> ChartSet:
        """Write every chart as page and as picture into a folder, which is made if need be.

        What could not be drawn is named in the notices; pages are always written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        pages = [folder / f"{name}.html" for name in _charts()]
        for path in pages:
            self._write(path.stem, results, path)
        figures = {folder / f"{n}.png": draw(results, PICTURE) for n, draw in _charts().items()}
        pictures, notices = asyncio.run(_draw_all(figures, self._browser))
        for path, picture in pictures.items():
            path.write_bytes(picture)
        return ChartSet((*pages, *pictures), notices)

    def _write(self, name: str, results: BacktestResults, path: Path) -> None:
        draw = _charts()[name]
        suffix = path.suffix.lower()
        if suffix == ".html":
            path.write_text(_page(draw(results, PAGE), results, name), encoding="utf-8")
        elif suffix == ".png":
            write_png(draw(results, PICTURE), path, self._browser)
        else:
            raise UnknownFormat(f"{path.name}: a chart's file name must end in .html or .png")


async def _draw_all(
    figures: Mapping[Path, "Figure"], browser: Path | None
) -> tuple[dict[Path, bytes], tuple[str, ...]]:
    pictures: dict[Path, bytes] = {}
    notices: list[str] = []
    async with PngRenderer(browser) as renderer:
        for path, figure in figures.items():
            try:
                pictures[path] = await renderer.render(figure)
            except ChartUnavailable as error:
                return pictures, (*notices, str(error))
            except ChartError as error:
                notices.append(f"{path.name}: {error}")
    return pictures, tuple(notices)


def _page(figure: "Figure", results: BacktestResults, name: str) -> str:
    from bot.charts.html import page

    return page(figure, f"{results.strategy} {results.symbol} {name}")


def _charts() -> Mapping[str, Draw]:
    from bot.charts.equity import equity_figure
    from bot.charts.monthly import monthly_returns_figure
    from bot.charts.trades import trades_figure

    return {
        "equity": equity_figure,
        "trades": trades_figure,
        "monthly": monthly_returns_figure,
    }
