"""Finished backtests on disk, one folder per run id, so that buttons work after a restart.

Written in the worker process; read by whoever shows a run again.
"""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bot.errors import InvalidInput
from bot.services.backtests import BacktestJob, execute_backtest
from bot.services.requests import BacktestAsk, RunReport
from engine.candles import CandleSeries
from engine.results import BacktestResults, EquityCurve

Report = Callable[[tuple[str, int, int]], None]

WRITING: Final = "writing charts and files"
FIGURES: Final = ("equity", "trades", "monthly")
_RUN_ID: Final = re.compile(r"^[0-9a-f]{16}$")


@dataclass(frozen=True, slots=True)
class RunJob:
    """A backtest whose results and figures are kept under `runs_dir`."""

    ask: BacktestAsk
    backtest: BacktestJob
    runs_dir: Path


def execute_run(job: RunJob, report: Report) -> RunReport:
    """Run a backtest, write its files and return what the channel needs."""
    results = execute_backtest(job.backtest, report)
    report((WRITING, 0, 1))
    folder = job.runs_dir / results.run_id
    folder.mkdir(parents=True, exist_ok=True)
    figures = _write_files(results, folder)
    _write(folder / "request.json", json.dumps(asdict(job.ask), indent=2))
    report((WRITING, 1, 1))
    nothing = CandleSeries.empty(results.price.timeframe)
    curve = EquityCurve(results.equity.time[:0], results.equity.equity[:0])
    return RunReport(job.ask, replace(results, equity=curve, price=nothing), folder, figures)


class RunStore:
    """Looks finished runs up by id.

    Raises InvalidInput where a run's files are gone (cleaned up, or another machine's).
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir

    def ask(self, run_id: str) -> BacktestAsk:
        """Return what was asked for in a run."""
        return BacktestAsk(**json.loads(self._read(run_id, "request.json")))

    def summary(self, run_id: str) -> dict[str, Any]:
        """Return a run's results as they were written to JSON."""
        values: dict[str, Any] = json.loads(self._read(run_id, "results.json"))
        return values

    def figure(self, run_id: str, name: str) -> str:
        """Return a figure as JSON: equity, trades or monthly."""
        return self._read(run_id, f"{name}.figure.json").decode()

    def file(self, run_id: str, name: str) -> bytes:
        """Return a file of a run: trades.csv, equity.html, trades.html or results.json."""
        if name.endswith(".html"):
            return gzip.decompress(self._read(run_id, f"{name}.gz"))
        return self._read(run_id, name)

    def prune(self, keep: int) -> int:
        """Delete all but the newest runs; return how many went."""
        if not self._runs_dir.is_dir():
            return 0
        folders = [path for path in self._runs_dir.iterdir() if _RUN_ID.match(path.name)]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for folder in folders[keep:]:
            shutil.rmtree(folder, ignore_errors=True)
        return len(folders[keep:])

    def _read(self, run_id: str, name: str) -> bytes:
        if not _RUN_ID.match(run_id):
            raise InvalidInput(f"{run_id!r} is no run id")
        try:
            return (self._runs_dir / run_id / name).read_bytes()
        except OSError:
            raise InvalidInput(
                f"the files of run {run_id} are gone: run the backtest again"
            ) from None


def _write_files(results: BacktestResults, folder: Path) -> dict[str, str]:
    # Plotly takes long to import, and only workers draw.
    from bot.charts.equity import equity_figure
    from bot.charts.html import page
    from bot.charts.monthly import monthly_returns_figure
    from bot.charts.theme import PAGE
    from bot.charts.trades import trades_figure

    figures: dict[str, str] = {
        "equity": equity_figure(results).to_json(),
        "trades": trades_figure(results).to_json(),
        "monthly": monthly_returns_figure(results).to_json(),
    }
    for name, text in figures.items():
        _write(folder / f"{name}.figure.json", text)
    pages = {"equity": equity_figure(results, PAGE), "trades": trades_figure(results, PAGE)}
    for name, figure in pages.items():
        html = page(figure, f"{results.strategy} {results.symbol} {name}")
        # Each page carries Plotly itself, 5 MB; packed it is a third of that.
        packed = gzip.compress(html.encode(), compresslevel=6, mtime=0)
        (folder / f"{name}.html.gz").write_bytes(packed)
    _write(folder / "summary.txt", results.summary() + "\n")
    _write(folder / "trades.csv", results.trades_csv())
    _write(folder / "results.json", json.dumps(results.to_json(), indent=2, allow_nan=False))
    return figures


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
