"""Parameters that are none, an enumeration or a list: suggested, shown and run again as typed."""

import pytest

UNUSUAL = '''"""A strategy for tests."""

import enum

from engine import Field, Signal, Strategy, StrategyParams


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


class Unusual(Strategy):
    """Buy once."""

    timeframes = ("1h",)

    class Params(StrategyParams):
        """Of all kinds."""

        mode: Mode = Mode.FAST
        limit: int | None = Field(None, ge=1)
        periods: list[int] = Field(default_factory=lambda: [10, 20])
        size_percent: float = Field(50, gt=0)
        more: tuple[int, ...] = (1, 2)
        floor: float | None = None

    def on_candle(self, data, portfolio):
        return [] if portfolio.has_position else [Signal.open_long(self.params.size_percent)]
'''


@pytest.fixture
def settings(settings, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "unusual.py").write_text(UNUSUAL)
    return settings.model_copy(update={"strategies_dir": folder})


def has_result(message):
    return any(button.get("label") == "Trades CSV" for button in message.buttons)


async def test_they_are_shown_as_they_are_typed(bench):
    answer = await bench.user("viewer").slash("strategies", name="unusual")
    message = await answer.finished()

    assert "`mode=fast` string (fast or slow)" in message.text
    assert "`limit=` integer or none (≥ 1)" in message.text
    assert "`periods=[10, 20]` array" in message.text


async def test_a_default_that_is_none_is_not_suggested_as_a_value(bench):
    choices = await bench.user("operator").autocomplete(
        "backtest", option="params", typed="", given={"strategy": "unusual"}
    )

    values = [choice.value for choice in choices]
    assert values[:2] == ["mode=fast", "limit="]


async def test_a_form_left_as_it_is_runs_the_same_again(bench):
    user = bench.user("operator")
    answer = await user.slash("backtest", strategy="unusual", params="size_percent=40")
    message = await answer.wait_for(has_result)

    modal = await (await user.click(message, "Run again…")).modal_opened()
    values = {item.label: item.value for item in modal.inputs}
    again = await (await user.submit_modal(modal, {})).wait_for(has_result)

    assert (values["limit"], values["periods"]) == ("", "[10, 20]")
    for word in ("size_percent=40", "mode=fast", "limit=None", "more=[1, 2]"):
        assert word in again.text
