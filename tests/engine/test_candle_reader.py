import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.candle_reader import CandleReader
from engine.candles import FLOW_COLUMNS, PRICE_COLUMNS, CandleSeries
from engine.columns import Columns
from tests.strategies.golden_runs import simulated_candles

MINUTES = simulated_candles(1)
FLOW = np.where(np.arange(len(MINUTES)) % 3 == 0, np.nan, np.arange(len(MINUTES)) - 700.0)


def columns_of(**flow):
    prices = {name: getattr(MINUTES, name) for name in ("timestamp", *PRICE_COLUMNS)}
    columns = Columns()
    columns.adopt(CandleSeries("1m", **prices, **flow))
    return columns


def expected(columns, index):
    values = {}
    for name in ("timestamp", *PRICE_COLUMNS, *FLOW_COLUMNS, "cvd"):
        value = columns[name][index].item()
        values[name] = None if np.isnan(value) else value
    return values


@pytest.mark.parametrize("flow", [{}, {"volume_delta": FLOW}, {"open_interest": FLOW}])
@given(jumps=st.lists(st.integers(0, 1439) | st.integers(1, 600), min_size=1, max_size=6))
def test_every_candle_is_that_of_its_columns_in_whatever_order_they_are_asked_for(flow, jumps):
    columns = columns_of(**flow)
    reader = CandleReader(columns)
    for start in jumps:
        for index in range(start, min(start + 20, len(columns))):
            candle = reader.read(index)
            found = {name: getattr(candle, name) for name in candle.__slots__}
            assert found == expected(columns, index)


def test_all_candles_in_order_are_those_of_the_columns():
    columns = columns_of(volume_delta=FLOW)
    reader = CandleReader(columns)
    for index in range(len(columns)):
        assert reader.read(index).close == columns["close"][index]
        assert reader.read(index).timestamp == columns["timestamp"][index]
