"""A live table of one forward test on a terminal; plain lines where there is no terminal."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import WhileAway
from data.storage.records import StepRecord
from engine.candles import format_time


class LiveTable:
    """Shows what a runner does; the watcher of the shell's forward tests."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, runner: ForwardRunner) -> None:
        """Show how a test stands now."""
        if self._console.is_terminal:
            self._live.update(render(runner), refresh=True)

    def on_step(self, runner: ForwardRunner, record: StepRecord) -> None:
        """Show the new state; trades get a line of their own."""
        for trade in record.trades:
            self._console.print(
                f"{format_time(trade.exit_time)} closed {trade.side} {trade.size:.10g} at "
                f"{trade.exit_price:.10g}: {trade.pnl:+.2f} USD ({trade.exit_reason})"
                f"{', recovered' if record.recovered else ''}",
                soft_wrap=True,
            )
        self.show(runner)

    def on_fault(self, runner: ForwardRunner, reason: str) -> None:
        """Say that the test can't go on."""
        self._console.print(f"faulted: {reason}", markup=False, soft_wrap=True)

    def on_recovered(self, runner: ForwardRunner, away: WhileAway) -> None:
        """Say what was made up for."""
        candles = f"{away.candles} candle{'s' * (away.candles != 1)}"
        trades = f"{away.trades} trade{'s' * (away.trades != 1)}"
        self._console.print(f"resumed: {candles} and {trades} made up for")


def render(runner: ForwardRunner) -> Table:
    """Return a test's state as a table."""
    session = runner.session
    book = session.engine.portfolio
    last = session.last_open_time
    table = Table(title=f"{session.test.name} · {session.test.symbol}", show_header=False)
    table.add_row("equity, USD", f"{book.equity:,.2f}")
    table.add_row("balance, USD", f"{book.balance:,.2f}")
    table.add_row("price", f"{book.last_price:.10g}")
    table.add_row("last candle", format_time(last) if last else "none yet")
    for position in book.positions:
        profit = position.unrealized_pnl(book.last_price)
        levels = f"stop {_level(position.stop_loss)}, target {_level(position.take_profit)}"
        table.add_row(
            f"{position.side} #{position.id}",
            f"{position.size:.10g} at {position.entry_price:.10g}, {profit:+,.2f} USD, {levels}",
        )
    if runner.down_since is not None:
        table.add_row("stream", f"down since {format_time(runner.down_since)}")
    return table


def _level(price: float | None) -> str:
    return "–" if price is None else f"{price:.10g}"
