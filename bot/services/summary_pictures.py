"""What the picture of a summary shows, from what is stored. No Discord, no drawing."""

import asyncio

from bot.charts.alert_figures import summary_figure_json
from bot.services.forward.trade_pictures import SIMULATED
from bot.services.summaries import Period, books_of, read_curve
from data.database import Database
from data.storage.records import OutboxMessage


class SummarySketch:
    """Makes the figures of the summaries of days and weeks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, message: OutboxMessage) -> str:
        """Return the figure of a summary, as JSON.

        Raises:
            NothingToDraw: no test has equity in its period.
            DataError: what is stored can't be read.
        """
        period = Period(message.payload["start"], message.payload["end"])
        curves, is_simulated = {}, False
        for book in books_of(message.payload):
            test = await self._database.get_forward_test(book.test_id)
            if test is not None:
                curves[test.name] = await read_curve(self._database, test, period)
                is_simulated |= test.exchange == SIMULATED
        return await asyncio.to_thread(
            summary_figure_json, period.start, period.end, curves, is_simulated=is_simulated
        )
