"""Every Python block of the documentation is run: strategies, methods of one, and tests of one."""

import re
import subprocess
import sys
import textwrap

import pytest

from bot.services.strategies import StrategyLibrary
from engine import Candle, PortfolioView, indicators
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from tests.docs.pages import FILES, ROOT, blocks, every_command, inline
from tests.docs.strategies import checks, kind_of, methods, of_every_page, strategies
from tests.docs.table import NOT_RUN
from tests.strategies.golden_runs import simulated_candles

PYTEST_LINES = [found for found in every_command("python") if found.text not in NOT_RUN]


def run(source: str, name: str, folder):
    folder.mkdir()
    (folder / f"{name}.py").write_text(source)
    strategy = StrategyLibrary(folder).load(name).strategy
    results = run_backtest(BacktestRequest(name), strategy, BacktestData(simulated_candles(60)))
    return strategy, results


def test_there_is_something_of_each_kind_and_nothing_else():
    assert {found.code.page for found in of_every_page(strategies)} >= {
        "README.md",
        "writing-strategies.md",
    }
    assert of_every_page(methods)
    assert of_every_page(checks)
    assert [code for page in FILES for code in blocks(page, "python") if not kind_of(code)] == []


@pytest.mark.parametrize("found", of_every_page(strategies), ids=lambda found: str(found.code))
def test_every_strategy_trades(found, tmp_path):
    _, results = run(found.code.text, found.name, tmp_path / "strategies")
    assert results.metrics.trades > 0


@pytest.mark.parametrize("code", of_every_page(methods), ids=str)
def test_methods_do_in_the_strategy_of_their_page_what_is_said(code, tmp_path):
    whole = [found for found in strategies(code.page) if found.code.at < code.at][-1]
    extended = f"{whole.code.text}\n{textwrap.indent(code.text, ' ' * 4)}"
    strategy, results = run(extended, whole.name, tmp_path / "extended")
    _, before = run(whole.code.text, whole.name, tmp_path / "before")
    defined = code.text.removeprefix("def ").partition("(")[0]
    assert defined in vars(strategy)
    # The page says of wake that results stay the same to the last bit.
    assert defined == "wake"
    assert results.trades == before.trades
    assert results.equity.equity.tolist() == before.equity.equity.tolist()
    assert results.metrics.trades > 0


def test_the_lines_of_python_run_tests_that_a_page_shows():
    assert [found.words[:3] for found in PYTEST_LINES] == [["python", "-m", "pytest"]]
    assert [found.code.page for found in PYTEST_LINES] == [c.page for c in of_every_page(checks)]
    assert {found.text for found in every_command("python")} >= NOT_RUN.keys()
    assert re.search(r"^pytest==", (ROOT / "tests" / "requirements.txt").read_text(), re.M)


@pytest.mark.slow
@pytest.mark.parametrize("code", of_every_page(checks), ids=str)
def test_tests_of_strategies_pass_and_fail_as_they_should(code, shell):
    [command] = [found for found in PYTEST_LINES if found.code.page == code.page]
    file = shell.folder / command.words[3]
    file.parent.mkdir(parents=True)
    file.write_text(code.text)
    [whole] = strategies(code.page)
    strategy = shell.folder / "strategies" / f"{whole.name}.py"
    strategy.write_text(whole.code.text)
    passed = run_pytest(command.words[1:], shell.folder)
    assert passed.returncode == 0, passed.stdout
    strategy.write_text(whole.code.text.replace("Signal.open_long(", "Signal.open_short("))
    failed = run_pytest(command.words[1:], shell.folder)
    assert failed.returncode == 1, failed.stdout


def run_pytest(words: list[str], folder):
    """Run it in a folder with the project's settings of pytest, beside the reader's strategies."""
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return subprocess.run(
        [sys.executable, *words, "-p", "no:cacheprovider"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_a_strategy_sees_has_these_names():
    lists = [code.text.split() for code in inline("writing-strategies.md")]
    [of_candle] = [names for names in lists if names[0] == "timestamp"]
    [of_indicators] = [names for names in lists if names[0] == "adx"]
    of_portfolio = [names[0][1:] for names in lists if re.match(r"\.[a-z]", names[0])]
    assert of_indicators == sorted(indicators.__all__)
    assert len(of_portfolio) > 3
    assert all(hasattr(PortfolioView, re.sub(r"\(.*", "", name)) for name in of_portfolio)
    assert all(hasattr(Candle, name) for name in of_candle)
