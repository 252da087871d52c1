import tomllib
from pathlib import Path

import pytest

from bot.cli import build_parser
from tests.conftest import PROJECT_ROOT, run_in_project

COMMANDS = sorted(build_parser()._subparsers._group_actions[0].choices)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(jesse, command):
    outcome = jesse(command, "--help")
    assert outcome.code == 0
    assert f"usage: jesse {command}" in outcome.out


def test_without_a_command_help_is_shown_and_it_is_bad_input(jesse):
    outcome = jesse()
    assert outcome.code == 2
    assert "backtest" in outcome.out


def test_an_unknown_command_is_refused(jesse):
    assert jesse("bactest").code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backtest"], "the following arguments are required: --strategy; see jesse backtest"),
        (
            ["simulate", "--port", "x"],
            "argument --port: invalid int value: 'x'; see jesse simulate",
        ),
        (["trades", "--test", "a", "--what"], "unrecognized arguments: --what; see jesse --help"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(jesse, words, told):
    outcome = jesse(*words)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {told}")
    assert outcome.err.count("\n") == 1


def test_the_version_is_that_of_the_project(jesse):
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    outcome = jesse("--version")
    assert (outcome.code, outcome.out) == (0, f"jesse {project['version']}\n")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from bot.cli import build_parser; build_parser().format_help();"
        "heavy = {'numpy', 'pandas', 'ccxt', 'plotly', 'discord', 'pydantic'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    run_in_project(code)


def test_a_cached_backtest_imports_no_more_than_it_needs(cached, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(cached / "var"))
    code = (
        "import sys; from bot.cli import main;"
        "code = main(['backtest', '--strategy', 'ma_crossover', '--offline']);"
        "heavy = {'ccxt', 'pandas', 'plotly', 'discord', 'aiohttp', 'rich'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    run_in_project(code)


def test_strategies_are_listed_and_described(jesse):
    listed = jesse("strategies")
    assert listed.code == 0
    assert "ma_crossover" in listed.out
    described = jesse("strategies", "ma_crossover")
    assert "fast_period = 50 (≥ 2, ≤ 500)" in described.out


def test_a_broken_strategy_is_named_and_the_others_are_listed(jesse, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("def (:")
    monkeypatch.setenv("STRATEGIES_DIR", str(tmp_path))
    outcome = jesse("strategies")
    assert outcome.code == 1
    assert "broken.py, line 1" in outcome.err


def test_the_doctor_says_what_is_well_and_how_to_mend_the_rest(jesse, exchange):
    outcome = jesse("doctor")
    assert outcome.code == 0
    assert "exchange simulated: reached" in outcome.out
    assert "DISCORD_TOKEN is not set" in outcome.out


def test_the_doctor_finds_an_exchange_that_can_not_be_reached(jesse, monkeypatch):
    monkeypatch.setenv("EXCHANGE", "binance")
    outcome = jesse("doctor")
    assert outcome.code == 1
    assert "API_KEY" in outcome.out


def test_a_wrong_setting_stops_every_command(jesse, monkeypatch):
    monkeypatch.setenv("FEE_RATE", "high")
    assert jesse("strategies").code == 2
    assert "FEE_RATE" in jesse("doctor").err


def test_an_unexpected_error_is_two_lines_and_keeps_its_details(jesse, monkeypatch):
    def explode(self):
        raise RuntimeError("by surprise")

    monkeypatch.setattr("bot.services.strategies.StrategyLibrary.load_all", explode)
    outcome = jesse("strategies")
    assert outcome.code == 1
    first, second = outcome.err.strip().splitlines()
    assert "unexpected RuntimeError: by surprise" in first
    details = Path(second.split()[-1])
    assert "by surprise" in details.read_text()
    details.unlink()
