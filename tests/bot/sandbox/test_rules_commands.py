import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.rules_commands import (
    check_autocompletion,
    check_command,
    check_commands,
    command_length,
    is_valid_name,
)

keys = st.sampled_from(
    ["name", "description", "type", "options", "choices", "required", "value", "min_value"]
)
leaves = st.none() | st.booleans() | st.integers(0, 12) | st.text(max_size=5)
wild = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


def command(**changes):
    return {"name": "backtest", "description": "Test a strategy", **changes}


def option(name="symbol", **changes):
    return {"name": name, "description": "What to trade", "type": 3, **changes}


def with_option(**changes):
    return command(options=[option(**changes)])


@given(wild)
def test_whatever_a_bot_sends_is_judged_without_an_exception(definitions):
    check_commands(definitions)
    check_commands([definitions])
    if isinstance(definitions, dict):
        check_command(definitions)


@given(st.from_regex(r"[a-z0-9_-]{1,32}", fullmatch=True))
def test_lower_case_names_pass(name):
    assert is_valid_name(name)
    assert check_command(command(name=name)) == []


@pytest.mark.parametrize("name", ["", "Backtest", "two words", "x" * 33, "a/b", None, 7])
def test_other_names_are_refused(name):
    assert not is_valid_name(name)
    assert check_command(command(name=name))


@given(st.integers(1, 110))
def test_descriptions_pass_up_to_100_characters(length):
    assert (not check_command(command(description="x" * length))) == (length <= 100)


@given(st.lists(st.booleans(), max_size=8))
def test_required_options_come_first(required):
    options = [option(f"o{n}", required=flag) for n, flag in enumerate(required)]

    in_order = required == sorted(required, reverse=True)

    assert (not check_command(command(options=options))) == in_order


@pytest.mark.parametrize("count", [25, 26])
def test_options_and_choices_pass_up_to_25(count):
    choices = [{"name": f"c{n}", "value": f"v{n}"} for n in range(count)]
    options = [option(f"o{n}") for n in range(count)]

    for definition in (command(options=options), with_option(choices=choices)):
        assert (not check_command(definition)) == (count == 25)
    assert (not check_autocompletion(choices, numeric=False)) == (count == 25)


@pytest.mark.parametrize(
    "definition",
    [
        with_option(type=12),
        with_option(description=""),
        with_option(description="\n\t"),
        with_option(choices=[{"name": "x" * 101, "value": "a"}]),
        with_option(choices=[{"name": "x", "value": "a" * 101}]),
        with_option(choices=[{"name": "x", "value": 1}]),
        with_option(choices=[{"name": "x", "value": "a"}] * 2),
        with_option(choices=[{"name": "x", "value": "a"}], autocomplete=True),
        with_option(type=4, choices=[{"name": "x", "value": "a"}]),
        with_option(type=4, choices=[{"name": "x", "value": 2**54}]),
        with_option(type=5, choices=[{"name": "x", "value": "a"}]),
        with_option(type=4, min_value=2, max_value=1),
        with_option(type=3, min_value=2),
        with_option(type=3, max_length=6001),
        command(options=[option("a"), option("a")]),
        command(options=[option("a", type=1), option("b")]),
        command(options=[option("a", type=1, options=[option("b", type=1)])]),
        command(options=[option("a", type=2, options=[option("b", type=2)])]),
        command(default_member_permissions="all"),
    ],
)
def test_each_broken_definition_is_refused(definition):
    assert check_command(definition)


def test_a_group_in_a_command_with_sub_commands_passes():
    start = option("start", type=1, options=[option("name", required=True)])
    group = option("test", type=2, options=[start])

    assert check_command(command(options=[group])) == []


@pytest.mark.parametrize("extra", [0, 1])
def test_a_command_passes_up_to_8000_characters(extra):
    choices = [{"name": f"{n:099}", "value": f"{n:060}"} for n in range(25)]
    options = [option(f"o{n}", description="d", choices=choices) for n in range(2)]
    definition = command(options=options, description="")
    definition["description"] = "d" * (8000 + extra - command_length(definition))

    assert (not check_command(definition)) == (extra == 0)


def test_names_in_one_scope_are_unique_and_at_most_100():
    twice = check_commands([command(), command()])
    many = check_commands([command(name=f"c{n}") for n in range(101)])

    assert {issue.code for issue in twice} == {"APPLICATION_COMMANDS_DUPLICATE_NAME"}
    assert {issue.code for issue in many} == {"APPLICATION_COMMANDS_MAX"}
