"""What the documentation of operation says holds: times, names, answers, permissions, settings."""

import configparser
import json
import re
from pathlib import Path

import pytest

from bot.alerts import DiscordAlerter
from bot.discord_check import NEEDED, WELCOME
from bot.services.alert_settings import TOPICS
from bot.services.readiness import ReadinessProbe
from bot.services.scheduled.cleanup import LOG_DAYS, RUN_DAYS
from bot.services.scheduled.jobs import make_jobs
from bot.settings import Settings
from data.database import Database

DOCS = Path(__file__).resolve().parent.parent / "docs"


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def block(name: str, language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", read(name), re.S)
    return found


class Connected:
    """A gateway that is up, and forward tests without candles."""

    is_connected = True
    latency_s = 0.041

    def last_opens(self):
        return {}


def keys(value):
    return {k: keys(v) if isinstance(v, dict) else None for k, v in value.items()}


async def test_the_answer_of_healthz_looks_as_described(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as database:
        up = Connected()
        probe = ReadinessProbe(up, up, database, exchange="simulated", patience_s=60)
        answer = (await probe.look()).to_json()
    described = json.loads(block("operations.md", "json"))
    assert keys(described) == keys(answer)


def in_words(cron: str) -> str:
    minute, hour, _, _, weekday = cron.split()
    if minute.startswith("*/"):
        return f"every {minute[2:]} minutes"
    time = "hourly" if hour == "*" else f"{int(hour):02}:{int(minute):02}"
    return {"0": "Sundays ", "1": "Mondays "}.get(weekday, "") + time


def test_every_scheduled_job_is_described_with_its_time():
    text = read("operations.md")
    rows = dict(re.findall(r"^\| ([\w -]+?) \| ([^|]+) \|", text, re.M))
    settings = {
        "data refresh": "`REFRESH_CRON`, ",
        "state snapshot": "`SNAPSHOT_MINUTES`, ",
        "daily summary": "`SUMMARY_CRON`, ",
        "weekly summary": "`WEEKLY_SUMMARY_CRON`, ",
    }
    for job in make_jobs(Settings.load(), None, None, list, DiscordAlerter(None, wake=list)):
        expected = settings.get(job.name, "") + in_words(job.cron)
        assert rows[job.name].strip() == expected, job.name
    assert f"after {RUN_DAYS} days, logs after {LOG_DAYS}" in text


def test_every_kind_of_alert_is_described_and_whether_it_can_be_off():
    table = read("operations.md").partition("| Kind | Tells | Can be off |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| (.+?) \| .+ \| (.+?) \|$", table, re.M))
    said = {title: off for row, off in rows.items() for title in split_titles(row)}
    assert {title: off.startswith("yes") for title, off in said.items()} == {
        topic.title: topic.may_be_off for topic in TOPICS
    }


def split_titles(row: str) -> list[str]:
    """One row may tell of two kinds, unless their title has a comma itself."""
    whole = {topic.title for topic in TOPICS}
    return [row] if row in whole else row.split(", ")


def test_the_unit_starts_the_bot_and_gives_it_time_to_end():
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(block("deployment.md", "ini"))
    service = unit["Service"]
    assert service["ExecStart"].endswith("/jesse run")
    assert int(service["TimeoutStopSec"]) > 10
    assert service["User"] == "jesse"
    folder = re.search(r"DATA_DIR=(\S+)", service["Environment"])[1]
    assert service["ReadWritePaths"] == folder


@pytest.mark.parametrize("page", ["getting-started.md", "security.md"])
def test_the_permissions_are_named_in_full(page):
    text = " ".join(read(page).split())
    asked = [name for name, is_asked in NEEDED | WELCOME if is_asked]
    titles = {name.replace("_", " ").title().replace(" In ", " in ") for name in asked}
    # Discord's library calls by two names what Discord shows as View Channels.
    shown = {"View Channels"} | (titles - {"View Channel", "Read Messages"})
    assert {title for title in shown if title not in text} == set()


def test_every_setting_that_is_named_is_one():
    names = {name.upper() for name in Settings.model_fields}
    known = names | {"DATA_DIR", "RAILWAY_RUN_UID", "MALLOC_ARENA_MAX", "ARROW_DEFAULT_MEMORY_POOL"}
    for page in DOCS.glob("*.md"):
        said = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text()))
        assert said <= known, f"{page.name}: {said - known}"


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_to_headings_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([\w./-]*\.md)#([\w-]+)\)", read(page)):
        headings = re.findall(r"^#+ (.+)$", read(target), re.M)
        anchors = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in headings}
        assert anchor in anchors, f"{page}: {target}#{anchor}"
