import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from engine.candles import Candle
from engine.execution.executor import Fill
from engine.orders import Position, Side, Signal, Trade
from engine.records import quick_to_make

SIGNAL = Signal.open_long(50.0, stop_loss=90.0)
POSITION = Position(1, Side.SHORT, 60_000, 100.0, 2.0, 200.0, 0.1, stop_loss=110.0)
CANDLE = Candle(60_000, 1.0, 3.0, 0.5, 2.0, 10.0, volume_delta=4.0)
RECORDS = [SIGNAL, POSITION, CANDLE, Fill(1.0, 2.0, 3.0)]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_can_not_be_changed(record):
    name = next(iter(record.__slots__))
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, 5)
    with pytest.raises(FrozenInstanceError):
        delattr(record, name)


@pytest.mark.parametrize("record", RECORDS)
def test_copies_of_a_record_equal_it_and_have_its_hash(record):
    for other in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), replace(record)):
        assert other == record
        assert hash(other) == hash(record)
        assert type(other) is type(record)


def test_fields_are_taken_by_name_by_order_and_by_default():
    assert (POSITION.entry_slippage, POSITION.stop_loss, POSITION.take_profit) == (0.0, 110.0, None)
    assert (CANDLE.close, CANDLE.open_interest, CANDLE.volume_delta) == (2.0, None, 4.0)
    assert repr(Fill(1.0, fee_usd=2.0, slippage_usd=3.0)) == (
        "Fill(price=1.0, fee_usd=2.0, slippage_usd=3.0)"
    )


def test_the_signature_is_that_of_a_dataclass():
    plain = dataclass(frozen=True)(type("Plain", (), {"__annotations__": Trade.__annotations__}))
    names = list(inspect.signature(plain).parameters)
    assert list(inspect.signature(Trade).parameters) == names
    assert inspect.signature(Trade).parameters["slippage"].default == 0.0
    with pytest.raises(TypeError, match=r"Trade.__init__\(\) missing"):
        Trade(1)


def test_a_dataclass_with_more_than_plain_fields_is_refused():
    @dataclass(frozen=True, slots=True)
    class Checked:
        size: float

        def __post_init__(self):
            raise AssertionError

    @dataclass(frozen=True, slots=True)
    class Listed:
        sizes: list[float] = field(default_factory=list)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        size: float

    for record in (Checked, Listed, Named):
        with pytest.raises(TypeError, match="only plain fields"):
            quick_to_make(record)
