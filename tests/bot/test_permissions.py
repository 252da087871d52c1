"""Who may do what: the rules alone, then each command in the sandbox."""

import pytest
from discord.app_commands import Command, Group, command

from bot.permissions import Access, Caller, Gate, access_of, needs
from bot.sandbox.errors import NotOffered
from bot.ui.buttons import BUTTONS
from bot.ui.forward_buttons import FORWARD_BUTTONS

GATE = Gate(1, (10, 11), operator_role_id=5)
READING = {
    "help", "jobs", "status", "strategies", "forward list", "positions", "trades", "equity",
    "alerts show",
    "schedule list",
}  # fmt: skip
OPERATING = {
    "backtest": {"strategy": "ma_crossover"},
    "check": {"strategy": "ma_crossover"},
    "fetch": {},
    "forward start": {"strategy": "ma_crossover"},
    "forward stop": {},
    "forward pause": {},
    "forward resume": {},
    "schedule pause": {"job": "x"},
    "schedule resume": {"job": "x"},
    "schedule run": {"job": "x"},
    "alerts set": {"kind": "notice", "state": "off"},
}
OFFERED = {name.split()[0] for name in READING}
OFFERED_TO_MANAGERS = OFFERED | {"backtest", "check", "fetch"}


@pytest.mark.parametrize(
    ("caller", "reads", "operates"),
    [
        (Caller(7, 1, 10), True, False),
        (Caller(7, 1, 11), True, False),
        (Caller(7, 1, 99, parent_id=10), True, False),
        (Caller(7, 1, 10, role_ids=frozenset({5})), True, True),
        (Caller(7, 1, 10, manages_guild=True), True, True),
        (Caller(7, 1, 12, manages_guild=True), False, False),
        (Caller(7, 2, 10, role_ids=frozenset({5})), False, False),
        (Caller(7, None, 10, manages_guild=True), False, False),
        (Caller(7, None, None), False, False),
    ],
)
def test_the_gate_opens_for_exactly_these(caller, reads, operates):
    assert (GATE.refusal(caller, Access.READ) is None) is reads
    assert (GATE.refusal(caller, Access.OPERATE) is None) is operates


def test_without_an_operator_role_no_role_operates():
    gate = Gate(1, (10,))
    nobody = Caller(7, 1, 10, role_ids=frozenset({5}))

    assert gate.refusal(nobody, Access.OPERATE) is not None
    assert gate.default_permissions(Access.OPERATE).manage_guild
    assert gate.default_permissions(Access.READ) is None


def test_with_an_operator_role_discord_hides_nothing_from_operators():
    assert GATE.default_permissions(Access.OPERATE) is None


def test_what_declares_nothing_is_a_mistake():
    @command(name="open", description="x")
    async def undeclared(interaction) -> None: ...

    assert isinstance(undeclared, Command)
    with pytest.raises(TypeError, match="/open"):
        access_of(undeclared)


def test_a_group_declares_for_its_commands():
    group = needs(Access.OPERATE)(Group(name="forward", description="x"))

    @group.command(name="start", description="x")
    async def start(interaction) -> None: ...

    assert access_of(start) is Access.OPERATE


def test_buttons_that_change_something_need_operators():
    access = {button.__name__: button.access for button in BUTTONS}

    assert access == {
        "CancelJob": Access.OPERATE,
        "TradesCsv": Access.READ,
        "Charts": Access.READ,
        "Heatmap": Access.READ,
        "RunAgain": Access.OPERATE,
        "StartForward": Access.OPERATE,
    }


def test_buttons_of_forward_tests_that_change_something_need_operators():
    access = {button.__name__: button.access for button in FORWARD_BUTTONS}

    assert access == {
        "ClosePosition": Access.OPERATE,
        "ConfirmClose": Access.OPERATE,
        "ConfirmStop": Access.OPERATE,
        "KeepAsIs": Access.READ,
        "TradesPage": Access.READ,
        "ForwardTradesCsv": Access.READ,
    }


async def test_every_command_is_in_one_of_the_two_lists(bench):
    for found in bench.app.client.tree.walk_commands():
        if isinstance(found, Command):
            reads = found.qualified_name in {*READING, "forward status", "forward report"}
            assert access_of(found) is (Access.READ if reads else Access.OPERATE)
            assert reads or found.qualified_name in OPERATING


@pytest.mark.parametrize("name", sorted(READING))
@pytest.mark.parametrize("user", ["viewer", "operator", "admin", "owner"])
async def test_members_read_in_the_channel(bench, user, name):
    message = await (await bench.user(user).slash(name)).finished(timeout_s=15)

    assert "⛔" not in message.text


@pytest.mark.parametrize("name", sorted(OPERATING))
async def test_viewers_change_nothing_and_the_attempt_is_on_record(bench, name):
    answer = await bench.user("viewer").slash(name, **OPERATING[name])
    message = await answer.finished()

    assert message.ephemeral
    assert f"<@&{bench.sandbox.operator_role_id}>" in message.text
    assert bench.app.client.services.jobs.recent() == []
    entries = await bench.audit()
    assert [(e.user_name, e.command, e.outcome) for e in entries] == [
        ("viewer", f"/{name}", "refused")
    ]


@pytest.mark.parametrize("user", ["operator", "admin", "owner"])
async def test_operators_and_managers_run_backtests(bench, user):
    answer = await bench.user(user).slash("backtest", strategy="ma_crossover")
    await answer.wait_for(lambda message: len(message.attachments) == 2)


async def test_a_lost_role_counts_at_once(bench):
    bench.sandbox.set_roles("operator", ())

    message = await (await bench.user("operator").slash("fetch")).finished()

    assert "⛔" in message.text


@pytest.mark.parametrize("name", sorted(READING | OPERATING.keys()))
async def test_other_channels_are_refused_and_told_where(bench, name):
    user = bench.user("admin", channel="general")

    message = await (await user.slash(name, **OPERATING.get(name, {}))).finished()

    assert message.ephemeral
    assert f"<#{bench.sandbox.channel_id}>" in message.text


@pytest.mark.parametrize("name", sorted(READING | OPERATING.keys()))
async def test_stale_global_commands_are_refused_elsewhere(bench, name):
    tree = bench.app.client.tree
    for found in tree.get_commands():
        found.guild_only = False
    await tree.sync()

    for user in (bench.user("operator").at_dm(), bench.user("stranger")):
        message = await (await user.slash(name, **OPERATING.get(name, {}))).finished()
        assert "I only work in the server" in message.text


async def test_strangers_and_direct_messages_are_offered_nothing(bench):
    assert bench.user("stranger").commands() == []
    assert bench.user("operator").at_dm().commands() == []


async def test_without_a_role_only_managers_are_offered_what_changes_things(running, candles):
    async with running(discord_operator_role_id=None) as bench:
        offered = {found.name for found in bench.user("viewer").commands()}
        assert offered == OFFERED
        with pytest.raises(NotOffered):
            await bench.user("operator").slash("fetch")
        managers = {found.name for found in bench.user("admin").commands()}
        assert managers == OFFERED_TO_MANAGERS


async def test_suggestions_are_not_for_those_who_may_not(bench):
    choices = await bench.user("viewer").autocomplete("backtest", option="strategy", typed="ma")

    assert choices == []
    assert await bench.audit() == []
