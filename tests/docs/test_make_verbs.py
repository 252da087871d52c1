"""Every `make` line of the documentation names a verb that there is, and what that starts."""

import importlib.util
import re
import shutil
import subprocess
import tomllib

import pytest

from bot.cli import build_parser
from tests.bench import __main__ as bench
from tests.bench.catalog import choose
from tests.docs.pages import FILES, ROOT, Command, every_command, inline

# The program that a verb ends up with, as its last line shows.
STARTS = {
    "bench": "python -m tests.bench",
    "demo": "jesse demo",
    "requirements": "pip-compile",
    "run": "jesse run",
    "setup": "python -m bot.charts.chromium",
    "soak": "python -m tests.soak",
    "test": "python -m pytest",
}
MAKEFILE = (ROOT / "Makefile").read_text()
LINES = every_command("make")


def verb_of(command: Command) -> str:
    [verb] = [word for word in command.words[1:] if re.fullmatch(r"[a-z]+", word)]
    return verb


def arguments_of(command: Command) -> list[str]:
    [given] = [w for w in command.words if w.startswith("ARGS=")] or ["ARGS="]
    return given.removeprefix("ARGS=").split()


def dry_run(*words: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("make is not at hand")
    done = subprocess.run(
        ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ")


def test_every_verb_that_the_pages_name_is_known_here():
    assert {verb_of(command) for command in LINES} == STARTS.keys()


@pytest.mark.parametrize("verb", STARTS)
def test_every_verb_starts_its_program(verb):
    assert re.search(rf"^{verb}: .*##", MAKEFILE, re.M), "make help doesn't show it"
    last = dry_run(verb).strip().splitlines()[-1]
    program = re.escape(STARTS[verb])
    assert re.match(rf"\.venv/bin/{program}\b", last)
    for module in re.findall(r"^python -m ([\w.]+)", STARTS[verb]):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("command", [c for c in LINES if arguments_of(c)], ids=lambda c: c.text)
def test_arguments_reach_the_program_and_it_knows_them(command):
    words = arguments_of(command)
    assert dry_run(verb_of(command), f"ARGS={' '.join(words)}").rstrip().endswith(" ".join(words))
    if verb_of(command) == "demo":
        assert build_parser().parse_args(["demo", *words]).once
    else:
        assert choose(bench._parse(words).names, with_peers=True)


@pytest.mark.parametrize("page", FILES)
def test_arguments_that_are_mentioned_alone_are_known(page):
    for code in inline(page):
        if code.text.startswith("ARGS="):
            assert bench._parse(code.text.removeprefix("ARGS=").split())


def test_what_setup_makes_is_what_is_activated_and_started():
    [venv] = re.findall(r"^VENV := (\S+)", MAKEFILE, re.M)
    sourced = {tuple(command.words) for command in every_command(".")}
    assert sourced == {(".", f"{venv}/bin/activate")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"jesse": "bot.cli:main"}
    assert dry_run("run").rstrip().endswith(f"{venv}/bin/jesse run")
