"""The doctor's look at the machine: folder, disk, database, strategies, browser, exchange."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.charts.errors import ChartUnavailable
from bot.services.health import Verdict, examine
from bot.settings import Settings
from data.database import Database
from data.simulator.clock import SteppedClock
from data.simulator.server import SimulatedExchange


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


async def test_a_data_folder_that_can_not_be_made_is_a_problem_with_what_to_set(findings, tmp_path):
    (tmp_path / "file").write_text("no folder")
    finding = (await findings(data_dir=tmp_path / "file" / "var"))["data folder"]

    assert finding.verdict is Verdict.PROBLEM
    assert str(tmp_path / "file" / "var") in finding.text
    assert "DATA_DIR" in finding.mend


@pytest.mark.parametrize(
    ("free", "verdict"), [(999_999_999, Verdict.WARNING), (1_000_000_000, Verdict.OK)]
)
async def test_a_disk_that_is_nearly_full_is_a_warning(findings, monkeypatch, free, verdict):
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr("bot.services.health.shutil.disk_usage", lambda folder: usage)
    finding = (await findings())["disk"]

    assert (finding.verdict, finding.text) == (verdict, "1.0 GB free")


async def test_a_folder_without_strategies_is_a_warning(findings, tmp_path):
    (tmp_path / "none").mkdir()
    finding = (await findings(strategies_dir=tmp_path / "none"))["strategies"]

    assert (finding.verdict, finding.text) == (Verdict.WARNING, f"0 in {tmp_path / 'none'}")
    assert "STRATEGIES_DIR" in finding.mend


async def test_a_strategy_that_does_not_load_is_a_warning_that_names_it(findings, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "crooked.py").write_text("def half(:\n")
    finding = (await findings(strategies_dir=tmp_path / "own"))["strategies"]

    assert finding.verdict is Verdict.WARNING
    assert "crooked" in finding.mend


async def test_an_exchange_at_hand_is_well_and_one_with_another_time_a_warning(
    findings, monkeypatch
):
    # A slow machine is no clock that is off: an hour is, and no test takes as long.
    monkeypatch.setattr("bot.services.health._LARGE_CLOCK_OFFSET_MS", 3_600_000)
    async with (
        SimulatedExchange(seed=1) as here,
        SimulatedExchange(seed=1, clock=SteppedClock(1_735_741_830_250)) as elsewhen,
    ):
        well = (await findings(exchange_rest_url=here.rest_url))["exchange simulated"]
        late = (await findings(exchange_rest_url=elsewhen.rest_url))["exchange simulated"]

    assert well.verdict is Verdict.OK
    assert "reached in" in well.text
    assert late.verdict is Verdict.WARNING
    assert "clock is off" in late.mend


async def test_an_exchange_that_never_answers_is_a_problem(findings, monkeypatch):
    @asynccontextmanager
    async def never(settings):
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("bot.services.health.open_exchange", never)
    monkeypatch.setattr("bot.services.health._EXCHANGE_TIMEOUT_S", 0)
    finding = (await findings())["exchange simulated"]

    assert (finding.verdict, finding.text) == (Verdict.PROBLEM, "no answer within 0 s")
    assert "EXCHANGE_REST_URL" in finding.mend
