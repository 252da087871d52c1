import hashlib
from pathlib import Path

import numpy as np
import pytest

from bot.errors import BrokenStrategy, UnknownStrategy
from bot.services.strategies import StrategyLibrary
from engine import CandleSeries
from engine.backtest import BacktestData, BacktestRequest, run_backtest
from engine.errors import StrategyFailed

SHIPPED = Path(__file__).resolve().parent.parent.parent.parent / "strategies"

GOOD = '''
from engine import Field, Signal, Strategy, StrategyParams

class GoodOne(Strategy):
    """Does little.

    In two lines.
    """
    timeframes = ("15m",)

    class Params(StrategyParams):
        """One."""
        period: int = Field(5, ge=2, le=9, description="candles")

    def on_candle(self, data, portfolio):
        return []
'''


@pytest.fixture
def library(tmp_path):
    (tmp_path / "good_one.py").write_text(GOOD)
    return StrategyLibrary(tmp_path)


def test_a_file_is_found_by_its_name(library):
    loaded = library.load("good_one")
    assert loaded.strategy.__name__ == "GoodOne"
    assert len(loaded.code_sha256) == 64


def test_a_strategy_describes_itself_and_its_parameters(library):
    info = library.load("good_one").info
    assert (info.name, info.summary, info.timeframes) == ("good_one", "Does little.", ("15m",))
    (param,) = info.params
    assert (param.name, param.type, param.default) == ("period", "integer", 5)
    assert (param.range, param.description) == ("≥ 2, ≤ 9", "candles")


def test_an_unknown_name_gets_the_nearest(library):
    with pytest.raises(UnknownStrategy, match="did you mean good_one"):
        library.load("god_one")


def test_a_failure_below_a_strategy_names_its_own_line_where_the_folder_is_relative(
    library, tmp_path, monkeypatch
):
    code = GOOD.replace("return []", 'return [Signal.close(data["2h"])]')
    (tmp_path / "good_one.py").write_text(code)
    monkeypatch.chdir(tmp_path.parent)
    loaded = StrategyLibrary(Path(tmp_path.name)).load("good_one")
    times = 900_000 * np.arange(3)
    candles = CandleSeries("15m", times, *[np.ones(3)] * 5)
    with pytest.raises(StrategyFailed, match=r"good_one\.py, line 16, in on_candle"):
        run_backtest(BacktestRequest("good_one"), loaded.strategy, BacktestData(candles))


def test_a_name_can_not_lead_out_of_the_folder(library, tmp_path):
    (tmp_path.parent / "outside.py").write_text(GOOD)
    with pytest.raises(UnknownStrategy):
        library.load("../outside")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UnknownStrategy, match="no strategy files in"):
        StrategyLibrary(tmp_path / "nothing").load("good_one")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def (:", r"invalid syntax.*\(broken.py, line 1\)"),
        ("x = 1\nimport nowhere_to_be_found", r"nowhere_to_be_found.*\(broken.py, line 2\)"),
        ("\n\nraise ValueError('at import')", r"ValueError: at import \(broken.py, line 3\)"),
        ("x = 1", "must have one class derived from Strategy, found none"),
        (
            GOOD + GOOD.replace("GoodOne", "Another"),
            "found GoodOne, Another: name the one to run Broken",
        ),
        (
            GOOD.replace("period: int", "period"),
            r"requires a type annotation \(broken.py, line 11\)",
        ),
        (GOOD.replace('("15m",)', '("7m",)'), "unknown timeframe '7m'"),
        (GOOD.replace('("15m",)', '"15m"'), "must be a tuple"),
        (GOOD + "\nraise SystemExit(0)", r"SystemExit: 0 \(broken.py, line 18\)"),
        (GOOD.replace("(StrategyParams)", ""), "GoodOne.Params must derive from StrategyParams"),
        (GOOD.replace("Field(5", "Field(5, alias='p'"), "GoodOne.Params.period has an alias"),
        (GOOD.replace("class Params", "Params = 5\n    class Other"), "must derive from"),
    ],
)
def test_a_broken_file_is_reported_and_takes_no_other_down(library, tmp_path, source, message):
    (tmp_path / "broken.py").write_text(source)
    with pytest.raises(BrokenStrategy, match=message):
        library.load("broken")
    loaded, broken = library.load_all()
    assert [item.name for item in loaded] == ["good_one"]
    assert len(broken) == 1


@pytest.mark.parametrize("name", ["good_one", "GoodOne", "good-one"])
def test_of_several_classes_the_one_named_like_the_file_is_run(library, tmp_path, name):
    (tmp_path / f"{name}.py").write_text(GOOD + GOOD.replace("GoodOne", "Another"))

    assert library.load(name).strategy.__name__ == "GoodOne"


def test_a_changed_file_is_loaded_anew_and_has_another_hash(library, tmp_path):
    before = library.load("good_one")
    (tmp_path / "good_one.py").write_text(GOOD.replace("Field(5", "Field(6"))
    after = library.load("good_one")
    assert after.strategy().params.period == 6
    assert after.code_sha256 != before.code_sha256


def test_a_load_sees_nothing_of_what_an_earlier_one_left(library, tmp_path):
    source = GOOD.replace("    timeframes", "    seen = []\n    timeframes")
    (tmp_path / "good_one.py").write_text(source)
    library.load("good_one").strategy.seen.append(1)

    assert library.load("good_one").strategy.seen == []


def test_the_hash_covers_the_file_and_the_engine(library, tmp_path):
    engine = sorted((SHIPPED.parent / "engine").rglob("*.py"))
    content = b"".join(path.read_bytes() for path in [tmp_path / "good_one.py", *engine])
    for _ in range(2):
        assert library.load("good_one").code_sha256 == hashlib.sha256(content).hexdigest()


def test_files_that_begin_with_an_underscore_are_helpers(library, tmp_path):
    (tmp_path / "_shared.py").write_text("x = 1")
    assert library.names() == ["good_one"]


def test_all_shipped_strategies_load_and_are_described():
    loaded, broken = StrategyLibrary(SHIPPED).load_all()
    assert broken == []
    for item in loaded:
        assert item.info.summary
        assert all(param.description for param in item.info.params)


UNUSUAL = """
import enum
from typing import Callable, Literal

from engine import Field, Strategy, StrategyParams

class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"

class Unusual(Strategy):
    class Params(StrategyParams):
        mode: Mode = Mode.FAST
        side: Literal["long", "short"] = "long"
        stop: float | None = Field(None, gt=0)
        periods: list[int] = Field(default_factory=lambda: [10, 20])
        required: int
        average: Callable = max

    def on_candle(self, data, portfolio):
        return []
"""


def test_unusual_parameters_are_described_as_they_are_typed(library, tmp_path):
    (tmp_path / "unusual.py").write_text(UNUSUAL)

    params = {param.name: param for param in library.load("unusual").info.params}

    texts = {name: param.default_text for name, param in params.items()}
    assert texts == {
        "mode": "fast",
        "side": "long",
        "stop": "",
        "periods": "[10, 20]",
        "required": "",
        "average": str(max),
    }
    assert [name for name, param in params.items() if param.is_required] == ["required"]
    types = [params[name].type for name in ("mode", "side", "stop", "periods")]
    assert types == ["string", "string", "number or none", "array"]
    assert params["average"].type == "value"
    assert params["mode"].range == "fast or slow"
    assert params["side"].range == "long or short"
    assert params["stop"].range == "> 0"
