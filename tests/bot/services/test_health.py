"""The doctor's look at the machine: folder, database, browser, volume."""

from pathlib import Path

import pytest

from bot.charts.errors import ChartUnavailable
from bot.services.health import Verdict, examine
from bot.settings import Settings
from data.database import Database


@pytest.fixture
def findings(monkeypatch):
    """Run the checks without a browser; return what was found, by name."""
    monkeypatch.setattr("bot.services.health.find_chromium", lambda given: None)

    async def ask(**changes):
        settings = Settings.load(None, exchange="simulated", **changes)
        return {finding.name: finding async for finding in examine(settings)}

    return ask


@pytest.fixture
def path(tmp_path):
    """Where the database lies, or will."""
    return tmp_path / "var" / "jesse.db"


@pytest.fixture
async def stored(path):
    """A sound database with something in it."""
    async with Database.open(path) as database:
        await database.set_setting("answer", 42)


async def test_a_machine_without_a_database_gets_one_at_the_first_start(findings, path):
    finding = (await findings())["database"]
    assert (finding.verdict, finding.text) == (
        Verdict.OK, "jesse.db is made at the first start"
    )  # fmt: skip
    assert not path.exists()


async def test_a_sound_database_is_whole_and_stays_as_it_is(findings, path, stored):
    before = path.read_bytes()
    finding = (await findings())["database"]
    assert (finding.verdict, finding.text) == (
        Verdict.OK, "whole, writable, and in use by nobody"
    )  # fmt: skip
    assert path.read_bytes() == before


async def test_a_database_in_use_is_well(findings, path):
    async with Database.open(path):
        finding = (await findings())["database"]
    assert finding.verdict is Verdict.OK
    assert "a bot or forward test runs on it" in finding.text


async def test_a_damaged_database_is_a_problem_and_is_not_touched(findings, path, stored):
    path.write_bytes(path.read_bytes()[:5000])
    before = path.read_bytes()
    finding = (await findings())["database"]
    assert finding.verdict is Verdict.PROBLEM
    assert "docs/operations.md" in finding.mend
    assert path.read_bytes() == before


async def test_a_file_of_another_program_is_a_problem(findings, path):
    path.parent.mkdir()
    path.write_text("my diary")
    assert (await findings())["database"].verdict is Verdict.PROBLEM


async def test_a_database_that_this_user_may_not_write_is_a_problem(
    findings, path, stored, monkeypatch
):
    # Root, as whom tests may run, may write everywhere.
    monkeypatch.setattr("bot.services.health.os.access", lambda given, mode: given != path)
    assert "can't be written" in (await findings(data_dir=path.parent))["database"].text


async def test_no_browser_is_a_warning_for_pages_come_all_the_same(findings):
    finding = (await findings())["browser"]
    assert finding.verdict is Verdict.WARNING
    assert "apt-get install chromium" in finding.mend


async def test_a_browser_that_does_not_draw_is_a_warning(findings, monkeypatch):
    async def refuse(browser):
        raise ChartUnavailable("it does not start: no memory")

    monkeypatch.setattr("bot.services.health.find_chromium", lambda given: Path("/bin/true"))
    monkeypatch.setattr("bot.charts.proof.prove_drawing", refuse)
    finding = (await findings())["browser"]
    assert (finding.verdict, finding.text) == (Verdict.WARNING, "it does not start: no memory")


async def test_a_folder_beside_the_volume_is_a_problem(findings, tmp_path):
    found = await findings(
        railway_environment_name="production", railway_volume_mount_path=tmp_path / "data"
    )
    assert found["data folder"].verdict is Verdict.PROBLEM
    assert "lost at the next deploy" in found["data folder"].text
