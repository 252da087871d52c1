"""What working with market data loads into a process, seen in a process of its own."""

from tests.conftest import run_in_project

_CODE = """
import sys
from pathlib import Path
from data.funding import FundingHistory, FundingStore
from data.venues.base import columns_of_rows, values_of_records
from data.venues.row_text import RowText
rows = RowText('[[60000,"1.5","2","1","1.7","9"]]')
assert columns_of_rows(rows).close.tolist() == [1.7]
records = [{"at": 60_000 * n, "rate": str(n / 1000)} for n in range(3)]
read = values_of_records(records, "at", "rate")
store = FundingStore(Path(sys.argv[1]))
store.write("simulated", "BTC/USDT", FundingHistory.of(read.time, read.values), (0, 180_000))
history = store.read("simulated", "BTC/USDT")
assert history.rate.tolist() == [0.0, 0.001, 0.002], history
assert "pandas" not in sys.modules
"""


def test_candles_and_funding_are_read_and_stored_without_pandas(tmp_path):
    run_in_project(_CODE, tmp_path)
