import pytest

from bot.sandbox.page.render import Renderer, command_path


@pytest.fixture
def renderer(sandbox):
    return Renderer(sandbox, sandbox.user("viewer").user)


def test_a_command_is_named_with_its_sub_commands():
    nested = {"name": "test", "type": 1, "options": [{"name": "strategy", "type": 3}]}
    group = {"name": "forward", "options": [{"name": "paper", "type": 2, "options": [nested]}]}

    assert command_path(group) == "forward paper test"
    assert command_path({"name": "backtest", "options": [{"name": "a", "type": 3}]}) == "backtest"
    assert command_path({"custom_id": "x"}) == ""


async def test_commands_are_listed_by_their_last_level_with_what_can_be_picked(renderer, sandbox):
    options = [
        {"name": "who", "description": "d", "type": 9, "required": True},
        {"name": "where", "description": "d", "type": 7},
        {"name": "days", "description": "d", "type": 4, "min_value": 0, "max_value": 9},
    ]
    start = {"name": "start", "description": "begin", "type": 1, "options": options}
    definitions = [
        {"name": "forward", "description": "y", "options": [start]},
        {"name": "Menu entry", "type": 3},
    ]
    sandbox.commands.overwrite(None, definitions)
    (command,) = renderer.commands(sandbox.user("viewer"))
    who, where, days = command["options"]

    assert (command["path"], command["description"]) == ("forward start", "begin")
    viewer, operator = str(sandbox.ids.viewer_id), str(sandbox.operator_role_id)
    assert {"name": "@Viewer", "value": {"id": viewer}} in who["candidates"]
    assert {"name": "@Operator", "value": {"id": operator}} in who["candidates"]
    assert [item["name"] for item in where["candidates"]] == ["#research", "#general"]
    assert (days["min_value"], days["max_value"]) == (0, 9)
    assert "candidates" not in days


async def test_a_message_that_pings_the_user_or_a_role_of_theirs_is_marked(renderer, sandbox):
    operator = sandbox.user("operator")
    sandbox.set_roles("viewer", (sandbox.operator_role_id,))
    for text in (
        "hello",
        f"<@{sandbox.ids.viewer_id}>",
        f"<@&{sandbox.operator_role_id}>",
        f"<@{sandbox.ids.owner_id}>",
    ):
        await operator.send(text)
    shown = renderer.snapshot(sandbox.user("viewer"))["messages"]

    assert [message["pings_me"] for message in shown] == [False, True, True, False]


async def test_channels_are_those_the_user_sees(renderer, sandbox):
    found = [(channel["kind"], channel["name"]) for channel in renderer.channels()]

    assert found == [("text", "research"), ("text", "general"), ("direct", "Jesse")]
