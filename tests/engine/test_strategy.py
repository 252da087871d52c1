import pytest
from pydantic import model_validator

from engine import Field, Signal, Strategy, StrategyParams
from engine.errors import InvalidParams, StrategyError, UnknownTimeframe


class Example(Strategy):
    """An example."""

    timeframes = ("4h", "15m")

    class Params(StrategyParams):
        """Two of them."""

        fast_period: int = Field(10, ge=2, le=50)
        size_percent: float = Field(50, gt=0)

    def on_candle(self, data, portfolio):
        return [Signal.close()]


def test_the_smallest_timeframe_decides_when_it_is_called():
    assert Example.smallest_timeframe() == "15m"


def test_parameters_given_as_text_become_their_types():
    params = Example.make_params({"fast_period": "20", "size_percent": "12.5"})
    assert (params.fast_period, params.size_percent) == (20, 12.5)


def test_a_strategy_without_given_parameters_has_its_defaults():
    assert Example().params.fast_period == 10


def test_an_unknown_parameter_names_the_nearest_and_all_others():
    with pytest.raises(InvalidParams, match=r"fast_perod: did you mean fast_period\? known are"):
        Example.make_params({"fast_perod": 3})


@pytest.mark.parametrize(
    ("value", "rule"),
    [(1, "greater than or equal to 2"), ("51", "less than or equal to 50"), ("ten", "integer")],
)
def test_a_parameter_out_of_range_says_what_is_allowed(value, rule):
    with pytest.raises(InvalidParams, match=f"fast_period.*{rule}"):
        Example.make_params({"fast_period": value})


def test_parameters_can_not_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        Example().params.fast_period = 3


def test_a_definition_without_a_tuple_of_timeframes_is_refused():
    class Wrong(Example):
        timeframes = "1h"

    with pytest.raises(StrategyError, match="must be a tuple"):
        Wrong.check_definition()


def test_a_definition_with_an_unknown_timeframe_is_refused():
    class Wrong(Example):
        timeframes = ("7h",)

    with pytest.raises(UnknownTimeframe):
        Wrong.check_definition()


def test_a_definition_without_on_candle_is_refused():
    class Wrong(Strategy):
        """Forgot the main thing."""

    with pytest.raises(StrategyError, match="no on_candle"):
        Wrong.check_definition()


def test_a_strategy_that_keeps_no_state_saves_nothing():
    strategy = Example()
    strategy.set_state(strategy.get_state())
    assert strategy.get_state() == {}


def test_a_rule_for_several_parameters_is_told_in_its_own_words():
    class Crossing(Strategy):
        class Params(StrategyParams):
            fast: int = Field(10, description="fast")
            slow: int = Field(30, description="slow")

            @model_validator(mode="after")
            def _in_order(self):
                if self.fast >= self.slow:
                    raise ValueError("fast must be below slow")
                return self

    with pytest.raises(InvalidParams) as told:
        Crossing.make_params({"fast": 40})
    assert str(told.value).endswith("parameters: fast must be below slow")


def test_a_parameter_that_is_missing_is_named():
    class Case(Strategy):
        class Params(StrategyParams):
            period: int

    with pytest.raises(InvalidParams, match=r"^parameter period must be given$"):
        Case.make_params({})
