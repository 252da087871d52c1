from tests.conftest import run_in_project

_SERIES = """
import engine.indicators, sys
assert "pandas" not in sys.modules
import pandas, talib
from talib import abstract
closes = [float(n % 7) for n in range(40)]
plain = talib.SMA(pandas.Series(closes).to_numpy(), 5)
series = talib.SMA(pandas.Series(closes, index=range(100, 140)), 5)
assert isinstance(series, pandas.Series) and list(series.index) == list(range(100, 140))
pandas.testing.assert_series_equal(series, pandas.Series(plain, index=series.index))
frame = abstract.SMA(pandas.DataFrame({"close": closes}), timeperiod=5)
assert isinstance(frame, pandas.Series) and frame.iloc[-1] == plain[-1]
"""

_PANDAS_FIRST = """
import pandas, sys
import engine.indicators
import talib
assert sys.modules["pandas"] is pandas
assert isinstance(talib.SMA(pandas.Series([1.0, 2.0, 3.0]), 2), pandas.Series)
"""


def test_indicators_come_without_pandas_and_ta_lib_still_takes_its_series():
    run_in_project(_SERIES)


def test_a_pandas_that_is_loaded_already_stays():
    run_in_project(_PANDAS_FIRST)
