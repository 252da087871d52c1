"""What the shell's forward test shows: a table on a terminal, plain lines in a file."""

from types import SimpleNamespace

import pytest
from rich.console import Console

from bot.console import forward_table
from bot.console.forward_table import LiveTable, render
from bot.services.forward.service import WhileAway
from engine.orders import ExitReason, Position, Side, Trade

START = 1_704_067_200_000
MINUTE_MS = 60_000
TRADE = Trade(
    1, Side.LONG, START, 100.0, START + MINUTE_MS, 103.0, 2.0, 200.0, 6.0, 3.0, 0.1,
    ExitReason.TAKE_PROFIT,
)  # fmt: skip


@pytest.fixture
def table_on(monkeypatch):
    """Make a table that writes to a terminal, or to a file."""

    def made(*, terminal):
        def console(file):
            return Console(file=file, force_terminal=terminal, width=100, color_system=None)

        monkeypatch.setattr(forward_table, "Console", console)
        return LiveTable()

    return made


@pytest.fixture
def make_runner():
    """Make a runner whose book holds these positions at a price."""

    def made(*positions, price=103.0, last=START, down_since=None):
        book = SimpleNamespace(
            equity=10_006.0, balance=10_000.0, last_price=price, positions=positions
        )
        session = SimpleNamespace(
            test=SimpleNamespace(name="tester", symbol="BTC/USDT"),
            last_open_time=last,
            engine=SimpleNamespace(portfolio=book),
        )
        return SimpleNamespace(session=session, down_since=down_since)

    return made


def step(*trades, recovered=False):
    return SimpleNamespace(trades=trades, recovered=recovered)


def test_a_terminal_shows_the_book_the_positions_and_a_broken_stream(table_on, make_runner, capsys):
    held = Position(7, Side.LONG, START, 100.0, 2.0, 200.0, 0.1, stop_loss=95.0)
    with table_on(terminal=True) as table:
        table.show(make_runner(held, down_since=START + 5 * MINUTE_MS))
    shown = capsys.readouterr().err

    assert "tester · BTC/USDT" in shown
    assert "10,006.00" in shown
    assert "2 at 100, +6.00 USD, stop 95, target –" in shown
    assert "down since 2024-01-01T00:05:00Z" in shown


def test_before_the_first_candle_the_table_says_that_there_is_none(table_on, make_runner, capsys):
    with table_on(terminal=True) as table:
        table.show(make_runner(last=None))
    shown = capsys.readouterr().err

    assert "none yet" in shown
    assert "down since" not in shown


def test_a_closed_trade_stays_above_the_table_that_goes_on(table_on, make_runner, capsys):
    with table_on(terminal=True) as table:
        table.on_step(make_runner(), step(TRADE, recovered=True))
    shown = capsys.readouterr().err

    line = "closed long 2 at 103: +6.00 USD (take_profit), recovered"
    assert line in shown
    assert "10,006.00" in shown[shown.index(line) :]


def test_a_file_gets_a_line_for_each_trade_and_no_table(table_on, make_runner, capsys):
    with table_on(terminal=False) as table:
        table.show(make_runner())
        table.on_step(make_runner(), step())
        table.on_step(make_runner(), step(TRADE, TRADE))
    shown = capsys.readouterr().err

    assert (
        shown.splitlines()
        == ["2024-01-01T00:01:00Z closed long 2 at 103: +6.00 USD (take_profit)"] * 2
    )


def test_a_fault_is_told_word_for_word_whatever_brackets_it_has(table_on, make_runner, capsys):
    with table_on(terminal=False) as table:
        table.on_recovered(make_runner(), WhileAway(START, START + 2 * MINUTE_MS, 3, 2))
        table.on_fault(make_runner(), "KeyError: [/bold] of ['close']")
    shown = capsys.readouterr().err

    assert "resumed: 3 candles and 2 trades made up for" in shown
    assert "faulted: KeyError: [/bold] of ['close']" in shown


def test_prices_are_shown_to_the_last_digit_and_one_is_singular(table_on, make_runner, capsys):
    with table_on(terminal=False) as table:
        table.on_recovered(make_runner(), WhileAway(START, START + 2 * MINUTE_MS, 1, 1))
        table._console.print(render(make_runner(price=43_509.93)))
    shown = capsys.readouterr().err

    assert "resumed: 1 candle and 1 trade made up for" in shown
    assert "43509.93" in shown
