"""The crossover as freqtrade's users write it: a file that freqtrade finds and imports by itself.

It alone imports this, so a peer's packages may be imported at the top: whole-array signals, which
its simulation then goes through bar by bar, the stop as a share, the target as a return on
investment.
"""

from typing import Any, ClassVar

import talib.abstract as ta
from freqtrade.strategy import IStrategy
from technical import qtpylib

from tests.bench.workloads.peers.task import FAST, SLOW, STOP, TARGET


class Crossover(IStrategy):
    """Buy where a fast average crosses above a slow one; sell below."""

    INTERFACE_VERSION = 3
    startup_candle_count = SLOW
    stoploss = -STOP
    minimal_roi: ClassVar[dict[str, float]] = {"0": TARGET}

    def populate_indicators(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """Add the averages."""
        dataframe["fast"] = ta.SMA(dataframe, timeperiod=FAST)
        dataframe["slow"] = ta.SMA(dataframe, timeperiod=SLOW)
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """Mark the crossings up."""
        up = qtpylib.crossed_above(dataframe["fast"], dataframe["slow"])
        dataframe.loc[up, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """Mark the crossings down."""
        down = qtpylib.crossed_below(dataframe["fast"], dataframe["slow"])
        dataframe.loc[down, "exit_long"] = 1
        return dataframe
