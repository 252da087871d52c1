"""What the picture of a trade's alert shows, from what is stored. No Discord, no drawing."""

import asyncio

from bot.charts.alert_figures import trade_figure_json, trade_window
from bot.charts.errors import NothingToDraw
from bot.services.forward.traded_candles import TradedCandles
from data.database import Database
from data.storage.records import OutboxMessage

SIMULATED = "simulated"


class TradeSketch:
    """Makes the figures of alerts that tell of a closed trade."""

    def __init__(self, database: Database, candles: TradedCandles) -> None:
        self._database = database
        self._candles = candles

    async def __call__(self, message: OutboxMessage) -> str:
        """Return the figure of an alert, as JSON.

        Raises:
            NothingToDraw: its trade isn't stored, or its candles are not known.
            DataError: what is stored can't be read.
        """
        test = stored = None
        if message.test_id is not None:
            test = await self._database.get_forward_test(message.test_id)
            stored = await self._database.get_trade(message.test_id, message.payload["id"])
        if test is None or stored is None:
            raise NothingToDraw("the trade of an alert is not stored")
        start, end = await asyncio.to_thread(trade_window, stored.trade)
        candles = await self._candles.read(test, start, end)
        return await asyncio.to_thread(
            trade_figure_json,
            stored.trade,
            test.symbol,
            candles,
            is_simulated=test.exchange == SIMULATED,
        )
