"""Every `jesse` line of the documentation is run, in its place on the page, in a reader's folder.

What is run in place of a line, or isn't run here, stands in table.py with its reason.
"""

import re

import pytest

from bot.cli import build_parser
from tests.docs.pages import FILES, Command, blocks, commands, inline, read
from tests.docs.strategies import Source, strategies
from tests.docs.table import ELSEWHERE, ENDS, INSTEAD, PROOFS, STARTS_WITHOUT_CANDLES

IN_BLOCKS = {
    command.text
    for page in FILES
    for command in commands(page, "jesse")
    if command.code.language == "sh"
}


def lines_of(page: str) -> list[Command]:
    """Return what is run of a page: each line once; what a block has isn't run for a mention."""
    found: dict[str, Command] = {}
    for command in commands(page, "jesse"):
        mentioned = command.code.language is None
        if command.text not in ELSEWHERE and not (mentioned and command.text in IN_BLOCKS):
            found.setdefault(command.text, command)
    return list(found.values())


def test_what_is_run_or_excused_is_all_there_is():
    run = {command.text for page in FILES for command in lines_of(page)}
    assert run | ELSEWHERE.keys() == {
        command.text for page in FILES for command in commands(page, "jesse")
    }
    assert len(run) > 15
    assert run >= INSTEAD.keys()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in FILES if lines_of(page)])
def test_the_command_lines_of_a_page_run_in_their_order(page, shell, request):
    if page not in STARTS_WITHOUT_CANDLES:
        request.getfixturevalue("cached_candles")
    steps: list[Command | Source] = [*lines_of(page), *strategies(page)]
    for step in sorted(steps, key=lambda step: step.code.at):
        if isinstance(step, Source):
            (shell.folder / "strategies" / f"{step.name}.py").write_text(step.code.text)
        else:
            _run(shell, step)


def _run(shell, command: Command) -> None:
    kind = command.words[1]
    line = INSTEAD[command.text].line if command.text in INSTEAD else command.text
    # Files are imported without any exchange at hand: the pages promise that no key is needed.
    outcome = (shell.run_without_exchange if kind == "import-data" else shell.run)(line)
    told = f"{command.code}\n{outcome.out}\n{outcome.err}"
    assert outcome.code == ENDS.get(kind, 0), told
    assert PROOFS[kind] in outcome.out + outcome.err, told
    assert "Traceback" not in outcome.err, told
    for path in re.findall(r"^(?:chart|JSON): (.+)$", outcome.out, re.M):
        assert (shell.folder / path).stat().st_size > 0, told


def test_the_port_of_the_readme_is_that_of_the_simulated_exchange():
    port = build_parser().parse_args(["simulate"]).port
    addresses = re.findall(r"`EXCHANGE_(\w+)_URL=(\w+)://127\.0\.0\.1:(\d+)`", read("README.md"))
    assert addresses == [("REST", "http", str(port)), ("WS", "ws", str(port))]


def flags_of(command: str) -> set[str]:
    choices = build_parser()._subparsers._group_actions[0].choices
    return {flag for action in choices[command]._actions for flag in action.option_strings} - {
        "-h",
        "--help",
    }


def described() -> dict[str, tuple[set[str], str]]:
    """Return the README's table of commands: the flags that each row names, and what it says."""
    rows = re.findall(r"^\| `jesse ([\w-]+)([^|`]*)` \| (.*) \|$", read("README.md"), re.M)
    return {
        name: (set(re.findall(r"(?<=[\s`])--[\w-]+", f"{rest} {text.partition(' but ')[0]}")), text)
        for name, rest, text in rows
    }


def test_every_command_of_the_shell_stands_in_the_readme_with_all_its_flags():
    found = described()
    assert found.keys() == build_parser()._subparsers._group_actions[0].choices.keys()
    for name, (flags, text) in found.items():
        if "flags of `backtest`" in text:
            flags = flags | found["backtest"][0] - set(re.findall(r"but[^|]*", text)[0].split("`"))
        assert flags == flags_of(name), name


REQUIRED = {
    "backtest": ["--strategy", "x"],
    "sweep": ["--strategy", "x", "--params", "x"],
    "forward-test": ["--strategy", "x"],
    "fetch-data": [],
}


@pytest.mark.parametrize("page", FILES)
def test_flags_that_are_mentioned_alone_are_understood(page):
    table = {text for _, text in described().values()}
    for code in inline(page):
        in_table = page == "README.md" and any(f"`{code.text}`" in text for text in table)
        if code.text.startswith("--") and not in_table:
            assert any(_is_understood(code.text, name) for name in REQUIRED), code


def _is_understood(flags: str, command: str) -> bool:
    words = flags.split()
    # A flag that is named without its value gets one.
    words += ["1"] if len(words) == 1 else []
    try:
        build_parser().parse_args([command, *REQUIRED[command], *words])
    except SystemExit:
        return False
    return True


def test_nothing_that_begins_with_jesse_is_overlooked():
    for page in FILES:
        seen = {command.code.at for command in commands(page, "jesse")}
        told = [code for code in inline(page) if re.match(r"jesse\s", code.text)]
        in_blocks = "".join(block.text for block in blocks(page, "sh"))
        assert {code.at for code in told} <= seen
        assert len(re.findall(r"^jesse\s", in_blocks, re.M)) <= len(seen)
