"""Which alerts are on, silent or off: what is kept, what can't be, and what counts as on."""

import asyncio
import re
from pathlib import Path

import pytest

from bot.errors import InvalidInput
from bot.services import alert_kinds
from bot.services.alert_settings import (
    FAULT,
    NOTICE,
    PROBLEM,
    RECOVERY,
    SUMMARY,
    TOPICS,
    TRADE_CLOSED,
    TRADE_OPENED,
    AlertSettings,
    AlertState,
    topic_of,
)
from bot.services.forward.alerts import TRADE_CLOSE, TRADE_OPEN
from data.database import Database

KEY = "alerts:states"
ON, SILENT, OFF = AlertState.ON, AlertState.SILENT, AlertState.OFF


class Values:
    """Keeps values, slowly enough for others to come between."""

    def __init__(self, **kept):
        self.kept = dict(kept)

    async def get_setting(self, key, default=None):
        await asyncio.sleep(0)
        return self.kept.get(key, default)

    async def set_setting(self, key, value):
        await asyncio.sleep(0)
        self.kept[key] = value


def every_kind():
    names = [name for name in vars(alert_kinds) if name.isupper()]
    return [TRADE_OPEN, TRADE_CLOSE, *(getattr(alert_kinds, name) for name in names)]


async def test_at_first_everything_is_on():
    states = await AlertSettings(Values()).read()

    assert {states.of_topic(topic) for topic in TOPICS} == {ON}
    assert {states.of(kind, {}) for kind in every_kind()} == {ON}


async def test_what_is_set_holds_for_the_next_process(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as database:
        change = await AlertSettings(database).set("trade_opened", OFF)
        assert (change.topic, change.before, change.after) == (TRADE_OPENED, ON, OFF)
        await AlertSettings(database).set("trade_closed", SILENT)
    async with Database.open(tmp_path / "jesse.db") as database:
        states = await AlertSettings(database).read()

    assert states.of(TRADE_OPEN, {}) is OFF
    assert states.of(TRADE_CLOSE, {}) is SILENT
    assert states.of(alert_kinds.FAULT, {}) is ON


@pytest.mark.parametrize("topic", [FAULT, PROBLEM])
async def test_faults_and_problems_can_be_silent_but_never_off(topic):
    settings = AlertSettings(Values())
    await settings.set(topic.key, SILENT)

    with pytest.raises(InvalidInput, match=r"can't be off: .* nobody would notice. Choose silent"):
        await settings.set(topic.key, OFF)

    assert (await settings.read()).of_topic(topic) is SILENT


async def test_a_fault_that_was_switched_off_by_hand_still_comes():
    states = await AlertSettings(Values(**{KEY: {"fault": "off"}})).read()

    assert states.of(alert_kinds.FAULT, {}) is SILENT


async def test_an_unknown_kind_is_named():
    with pytest.raises(InvalidInput, match=r"no kind of alert 'trades': there are trade_opened,"):
        await AlertSettings(Values()).set("trades", OFF)


@pytest.mark.parametrize(
    "kept", [{"fault": ["on"]}, None, [], "off", {"trade_opened": "loud"}, {"trade_opened": 1}]
)
async def test_what_can_t_be_understood_counts_as_on(kept):
    states = await AlertSettings(Values(**{KEY: kept})).read()

    assert states.of(TRADE_OPEN, {}) is ON


async def test_two_who_set_at_once_do_not_undo_each_other():
    values = Values()
    settings = AlertSettings(values)

    await asyncio.gather(*(settings.set(topic.key, SILENT) for topic in TOPICS))

    assert values.kept[KEY] == {topic.key: "silent" for topic in TOPICS}


def test_every_kind_of_alert_can_be_switched_and_every_switch_has_a_kind():
    found = {topic_of(kind, {}) for kind in every_kind()}

    assert None not in found
    assert found | {PROBLEM, SUMMARY} == set(TOPICS)
    assert topic_of("no such kind", {}) is None


def test_problems_are_told_from_notices_by_what_they_say():
    assert topic_of(alert_kinds.NOTE, {"is_problem": True}) is PROBLEM
    assert topic_of(alert_kinds.NOTE, {"is_problem": False}) is NOTICE
    assert topic_of(alert_kinds.RECOVERY, {"tests": [1], "left": []}) is RECOVERY
    assert topic_of(alert_kinds.RECOVERY, {"tests": [1], "left": [1]}) is PROBLEM
    assert topic_of("summary_daily", {}) is topic_of("summary_weekly", {}) is SUMMARY
    assert topic_of(TRADE_CLOSE, {"is_problem": True}) is TRADE_CLOSED


def test_the_documentation_names_every_kind_and_what_can_be_off():
    page = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| (yes|no)\b[^|]*\|$", page.read_text(), re.M)
    for topic in TOPICS:
        [off] = [off for names, off in rows if topic.title in names]
        assert off == ("yes" if topic.may_be_off else "no"), topic.title
