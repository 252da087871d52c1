"""Meta-tests: what reviewers forget about structure."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bot", "engine", "data", "strategies")

ALLOWED = {
    "strategies": {"engine"},
    "engine": {"engine", "numpy", "talib", "pydantic"},
    "data": {"data", "engine"},
    "bot": {"bot", "data", "engine"},
}
FORBIDDEN_IN_ENGINE = {
    "asyncio",
    "socket",
    "urllib",
    "subprocess",
    "threading",
    "time",
    "os",
    "logging",
}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_in_the_agreed_directions(package):
    ours = set(PACKAGES)
    for path in _modules(package):
        wrong = (_imports(path) & ours) - ALLOWED[package]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_the_engine_does_no_io_and_reads_no_clock():
    for path in _modules("engine"):
        wrong = _imports(path) & FORBIDDEN_IN_ENGINE
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_strategies_know_nothing_but_the_engine():
    for path in _modules("strategies"):
        assert _imports(path) <= {"engine"}, path.name


def test_only_the_bot_knows_discord():
    for package in ("engine", "data", "strategies"):
        for path in _modules(package):
            assert "discord" not in _imports(path), path.name


# These hand the environment on to a child process (apt, the browser); they decide nothing by it.
PASS_ENVIRONMENT_ON = {"bot/charts/browser.py", "bot/charts/chromium.py"}


def test_only_the_settings_module_reads_the_environment():
    allowed = PASS_ENVIRONMENT_ON | {"bot/settings.py"}
    for package in PACKAGES:
        for path in _modules(package):
            text = path.read_text(encoding="utf-8")
            if str(path.relative_to(ROOT)) not in allowed:
                assert "os.environ" not in text, path.name
                assert "getenv" not in text, path.name


def test_sql_lives_in_the_data_package_only():
    for path in _modules("bot"):
        assert not {"aiosqlite", "sqlite3"} & _imports(path), path.name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_lives_there(package):
    for path in _modules(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_files_and_functions_stay_readable(package):
    for path in _modules(package):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, f"{path.relative_to(ROOT)} is too long"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.end_lineno - node.body[0].lineno + 1
                assert body <= 50, f"{path.relative_to(ROOT)}:{node.name} has {body} lines"
