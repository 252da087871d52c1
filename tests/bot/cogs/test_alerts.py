"""/alerts as members use it, in the whole bot; what is set is kept and obeyed."""

import pytest

from bot.sandbox.errors import InvalidInput
from bot.sandbox.models import MessageFlag
from bot.services.alert_settings import TOPICS

NOTE = {"title": "Scheduled work", "is_problem": False}


async def answered(bench, command, user="operator", **options):
    return await (await bench.user(user).slash(command, **options)).finished(timeout_s=30)


async def notify(bench, text, **changes):
    await bench.app.forward.alerter.send_alert(text, **(NOTE | changes))


def is_silent(bench, message):
    flags = bench.sandbox.state.messages[message.id].flags
    return bool(flags & MessageFlag.SUPPRESS_NOTIFICATIONS)


async def arrived(bench, text):
    return await bench.channel.wait_for_message(lambda m: text in m.text)


async def test_everybody_in_the_channel_may_see_the_settings(bench):
    message = await answered(bench, "alerts show", user="viewer")

    assert message.ephemeral
    for topic in TOPICS:
        assert f"🔔 **{topic.title}**: on" in message.text
    assert "</alerts set:" in message.text
    assert message.text.count("never off") == 2


@pytest.mark.parametrize(("state", "words"), [("silent", "without a notification"), ("off", "")])
async def test_an_operator_sets_a_kind_and_everybody_sees_it(bench, state, words):
    message = await answered(bench, "alerts set", kind="trade_opened", state=state)

    assert message.ephemeral
    assert f"Trade opened: {state}" in message.text
    assert words in message.text
    assert "Before: on" in message.text
    assert f"**Trade opened**: {state}" in (await answered(bench, "alerts show")).text
    entry = (await bench.audit())[0]
    assert (entry.command, entry.options, entry.outcome) == (
        "/alerts set", {"kind": "trade_opened", "state": state, "before": "on"}, "done"
    )  # fmt: skip


async def test_off_says_what_nobody_will_notice_then(bench):
    message = await answered(bench, "alerts set", kind="no_data", state="off")

    assert "They aren't sent any more" in message.text
    assert "A test without candles trades nothing; only `/status`" in message.text


@pytest.mark.parametrize("kind", ["fault", "problem"])
async def test_faults_stay_at_least_silent_and_the_answer_says_why(bench, kind):
    message = await answered(bench, "alerts set", kind=kind, state="off")
    assert "can't be off" in message.text
    assert "nobody would notice" in message.text

    message = await answered(bench, "alerts set", kind=kind, state="silent")
    assert "They can be silent, but never off." in message.text


async def test_who_is_no_operator_is_refused_and_noted(bench):
    message = await answered(bench, "alerts set", user="viewer", kind="notice", state="off")

    assert "Only" in message.text
    assert (await bench.audit())[0].outcome == "refused"
    assert "**Notices**: on" in (await answered(bench, "alerts show")).text


async def test_only_kinds_and_states_that_there_are_can_be_chosen(bench):
    for options in ({"kind": "weather", "state": "off"}, {"kind": "fault", "state": "loud"}):
        with pytest.raises(InvalidInput):
            await bench.user("operator").slash("alerts set", **options)


async def test_notices_come_as_they_are_set(bench):
    await notify(bench, "the first")
    assert not is_silent(bench, await arrived(bench, "the first"))

    await answered(bench, "alerts set", kind="notice", state="silent")
    await notify(bench, "the second")
    assert is_silent(bench, await arrived(bench, "the second"))

    await answered(bench, "alerts set", kind="notice", state="off")
    await notify(bench, "the third")
    await notify(bench, "a problem", is_problem=True)
    assert not is_silent(bench, await arrived(bench, "a problem"))

    await answered(bench, "alerts set", kind="notice", state="on")
    await notify(bench, "the fourth")
    await arrived(bench, "the fourth")
    assert not any("the third" in m.text for m in bench.channel.messages)
    assert "not sent yet" not in (await answered(bench, "status")).text


async def test_what_is_set_outlives_a_restart(running, candles):
    async with running() as bench:
        await answered(bench, "alerts set", kind="notice", state="silent")
        await answered(bench, "alerts set", kind="summary", state="off")
    async with running() as bench:
        text = (await answered(bench, "alerts show", user="viewer")).text
        assert "🔕 **Notices**: silent" in text
        assert "🚫 **Summaries**: off" in text
        await notify(bench, "after the restart")
        assert is_silent(bench, await arrived(bench, "after the restart"))


async def test_a_bot_that_restarts_again_and_again_says_the_same_once(running, candles):
    for number in range(4):
        async with running() as bench:
            title = "State will be lost"
            await notify(bench, "the disk is not a volume", title=title, is_problem=True)
            await notify(bench, f"start {'abcd'[number]}")
            await arrived(bench, f"start {'abcd'[number]}")

    assert len([m for m in bench.channel.messages if "the disk is not" in m.text]) == 1
