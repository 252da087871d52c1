"""What working with market data loads into a process, seen in a process of its own."""

import subprocess
import sys

from tests.conftest import PROJECT_ROOT

_FUNDING = """
import sys, numpy as np
from pathlib import Path
from data.funding import FundingHistory, FundingStore
from data.venues.base import values_of_records
records = [{"at": 60_000 * n, "rate": str(n / 1000)} for n in range(3)]
read = values_of_records(records, "at", "rate")
store = FundingStore(Path(sys.argv[1]))
store.write("simulated", "BTC/USDT", FundingHistory.of(read.time, read.values), (0, 180_000))
history = store.read("simulated", "BTC/USDT")
assert history.rate.tolist() == [0.0, 0.001, 0.002], history
assert "pandas" not in sys.modules
"""


def test_funding_is_parsed_stored_and_read_without_pandas(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _FUNDING, str(tmp_path)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
