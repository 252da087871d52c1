"""Documentation that is wrong fails here: strategies in it run, commands in it exist."""

import re
import shlex
from pathlib import Path

import pytest

from bot.cli import build_parser
from bot.services.strategies import StrategyLibrary
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from tests.strategies.golden_runs import simulated_candles

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def _blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(rf"```{language}\n(.*?)```", text, re.S)
        found += [(page.name, block) for block in blocks]
    return found


def _strategies() -> list[tuple[str, str]]:
    return [(page, block) for page, block in _blocks("python") if "(Strategy):" in block]


def _commands() -> list[str]:
    lines = [line for _, block in _blocks("(?:sh|bash)?") for line in block.splitlines()]
    inline = [m for page in PAGES for m in re.findall(r"`(jesse [^`]+)`", page.read_text())]
    found = [line.split("#")[0].strip() for line in lines if line.startswith("jesse ")] + inline
    return sorted(
        {command for command in found if not re.search(r"[A-Z]{4}|\||\[|\.\.\.", command)}
    )


@pytest.mark.parametrize(("page", "source"), _strategies())
def test_every_strategy_in_the_documentation_runs(page, source, tmp_path):
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.search(r"class (\w+)\(", source)[1]).lower()
    (tmp_path / f"{name}.py").write_text(source)
    strategy = StrategyLibrary(tmp_path).load(name).strategy
    results = run_backtest(BacktestRequest(name), strategy, BacktestData(simulated_candles(60)))
    assert results.metrics.trades > 0, page


def test_there_is_a_strategy_to_begin_with():
    assert {page for page, _ in _strategies()} >= {"README.md", "writing-strategies.md"}


@pytest.mark.parametrize("command", _commands())
def test_every_command_in_the_documentation_is_understood(command):
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert arguments.command


def test_every_link_between_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_of_the_shell_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    choices = build_parser()._subparsers._group_actions[0].choices
    for command in choices:
        assert f"jesse {command}" in readme, command
