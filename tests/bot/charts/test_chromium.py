import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.charts import chromium
from bot.charts.chromium import ensure_chromium, find_chromium


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No browser on PATH, nor where one usually lies, nor downloaded."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(chromium, "PLACES", ())
    monkeypatch.setattr(chromium, "_downloaded", lambda: None)


@pytest.fixture
def program() -> Callable[..., Path]:
    def make(path: Path, content: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    return make


class Machine:
    """Runs commands on paper: remembers them, fails on some, and has a browser after others."""

    def __init__(self, *, fails: Sequence[str] = (), brings: str = "") -> None:
        self.commands: list[str] = []
        self._fails, self._brings = fails, brings

    def run(self, command: Sequence[str]) -> None:
        line = " ".join(command)
        self.commands.append(line)
        if any(word in line for word in self._fails):
            raise subprocess.CalledProcessError(1, command, stderr=b"first\nno network here\n")

    def find(self, given: Path | str | None) -> Path | None:
        has = self._brings and any(self._brings in line for line in self.commands)
        return Path("/usr/bin/chromium") if has else None


def test_a_given_browser_comes_first(program, tmp_path):
    mine = program(tmp_path / "mine")

    assert find_chromium(mine) == mine
    assert find_chromium(str(mine)) == mine


def test_a_given_path_that_is_no_program_is_reported_and_passed_over(
    no_browser, program, tmp_path, caplog
):
    program(tmp_path / "bin" / "chromium")

    assert find_chromium(tmp_path / "nothing") == tmp_path / "bin" / "chromium"
    assert "nothing" in caplog.text


@pytest.mark.parametrize(
    "name", ["chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"]
)
def test_a_browser_on_the_path_is_found(no_browser, program, tmp_path, name):
    expected = program(tmp_path / "bin" / name)

    assert find_chromium() == expected


def test_a_browser_in_a_usual_place_is_found(no_browser, program, tmp_path, monkeypatch):
    expected = program(tmp_path / "opt" / "chrome")
    monkeypatch.setattr(chromium, "PLACES", (tmp_path / "gone", expected))

    assert find_chromium() == expected


def test_a_downloaded_browser_is_found_last(no_browser, program, tmp_path, monkeypatch):
    expected = program(tmp_path / "deps" / "chrome")
    monkeypatch.setattr(chromium, "_downloaded", lambda: expected)

    assert find_chromium() == expected


def test_a_script_that_only_asks_for_a_snap_is_no_browser(no_browser, program, tmp_path):
    program(tmp_path / "bin" / "chromium", "#!/bin/sh\necho try: snap install chromium\n")

    assert find_chromium() is None


def test_a_file_that_may_not_be_run_is_no_browser(no_browser, program, tmp_path):
    mine = program(tmp_path / "mine", mode=0o644)

    assert find_chromium(mine) is None


def test_nothing_is_installed_where_a_browser_is():
    machine = Machine()

    found = ensure_chromium(
        find=lambda given: Path("/usr/bin/chromium"), run=machine.run, is_root=True
    )

    assert found == Path("/usr/bin/chromium")
    assert machine.commands == []


def test_root_installs_the_systems_package_and_tries_it():
    machine = Machine(brings="install")

    found = ensure_chromium(find=machine.find, run=machine.run, is_root=True)

    assert found == Path("/usr/bin/chromium")
    assert machine.commands == [
        "apt-get update",
        "apt-get install -y --no-install-recommends chromium fonts-dejavu-core",
        "/usr/bin/chromium --version",
    ]


def test_who_is_not_root_downloads():
    machine = Machine(brings="get_chrome")

    found = ensure_chromium(find=machine.find, run=machine.run, is_root=False)

    assert found == Path("/usr/bin/chromium")
    assert not any("apt-get" in command for command in machine.commands)


def test_a_failed_package_leads_to_the_download(caplog):
    machine = Machine(fails=["apt-get update"], brings="get_chrome")

    found = ensure_chromium(find=machine.find, run=machine.run, is_root=True)

    assert found == Path("/usr/bin/chromium")
    assert "no browser from apt-get: no network here" in caplog.text


def test_a_browser_that_does_not_start_is_none(caplog):
    machine = Machine(fails=["--version"], brings="get_chrome")

    assert ensure_chromium(find=machine.find, run=machine.run, is_root=False) is None
    assert "no browser from the download of Chrome" in caplog.text


def test_where_everything_fails_there_is_none_and_each_reason_is_logged(caplog):
    machine = Machine(fails=["apt-get", "get_chrome"])

    assert ensure_chromium(find=machine.find, run=machine.run, is_root=True) is None
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 2


def test_a_missing_apt_is_a_failure_like_another(no_browser, caplog):
    assert chromium._try("apt-get", [("apt-get", "update")], find_chromium, chromium._run) is None
    assert "no browser from apt-get" in caplog.text


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Path("/usr/bin/chromium"), "browser for charts: /usr/bin/chromium"),
        (None, chromium.HOW_TO_GET_ONE),
    ],
)
def test_the_command_prints_one_line_and_never_fails(monkeypatch, capsys, found, line):
    monkeypatch.setattr(chromium, "ensure_chromium", lambda: found)

    assert chromium.main() == 0
    assert capsys.readouterr().out == line + "\n"


def test_finding_a_browser_imports_nothing_that_takes_time(program, tmp_path):
    mine = program(tmp_path / "mine")
    code = (
        "import sys; from bot.charts.chromium import find_chromium;"
        f"find_chromium({str(mine)!r});"
        "print({'plotly', 'kaleido', 'choreographer', 'numpy'} & set(sys.modules))"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "set()"
