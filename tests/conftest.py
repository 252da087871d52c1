"""Fixtures for every test: no test sees this machine's environment or working directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine, and no deadline: a test never depends on the clock.
settings.register_profile(
    "jesse",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("jesse")

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MARKET_DATA = PROJECT_ROOT.parent / "shared" / "market-data"

_KEPT = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "USER"}


def run_in_project(code: str, *arguments: object) -> None:
    """Run code in a Python of its own, in the project's folder; it must end well."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, with only the variables that a process needs."""
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(("PYTEST_", "COV_", "PYTHON", "OPENBLAS")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def market_data() -> Path:
    """The folder of recorded market data; the test is skipped where it is not at hand."""
    if not MARKET_DATA.is_dir():
        pytest.skip("recorded market data is not at hand in this clone")
    return MARKET_DATA
