"""The download of funding rates from an exchange, page by page. Nothing is stored here."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from typing import Final

import numpy as np

from data.download import in_order
from data.errors import ExchangeUnavailable
from data.exchange import ExchangeClient
from data.funding import FundingHistory
from data.ranges import Range
from data.venues.base import Instrument, TimedValues
from engine.candles import format_time
from engine.timeframe import MINUTE_MS

# A rate appears a little after its time.
_SETTLED_AFTER_MS: Final = 10 * MINUTE_MS
_IN_FLIGHT: Final = 4


async def download_funding(
    exchange: ExchangeClient, instrument: Instrument, missing: Iterable[Range]
) -> AsyncGenerator[tuple[Range, FundingHistory]]:
    """Yield the rates of ranges (ms, end excluded) page by page, oldest first; none for spot.

    Raises:
        ExchangeError: the exchange can't be asked, or sent something else.
    """
    history = exchange.venue.funding_history(instrument)
    if history is None:
        return
    span = history.rows * history.period_ms
    windows = [
        (first, min(first + span, end))
        for start, end in missing
        for first in range(start, end, span)
    ]
    asks = [partial(_ask_funding, exchange, instrument, window) for window in windows]
    async with aclosing(in_order(asks, _IN_FLIGHT)) as pages:
        index = 0
        async for page in pages:
            yield windows[index], FundingHistory.of(page.time, page.values)
            index += 1


def settled(end: int, now: int) -> int:
    """Return the time (ms) up to which funding rates are sure to be there."""
    return min(end, now - _SETTLED_AFTER_MS)


async def _ask_funding(
    exchange: ExchangeClient, instrument: Instrument, window: Range
) -> TimedValues:
    call = exchange.venue.funding_call(instrument, *window)
    what = f"funding rates of {instrument.symbol} from {format_time(window[0])}"
    rates = await exchange.ask(call, exchange.venue.parse_funding, what)
    check_window(rates, window, what)
    return rates


def check_window(values: TimedValues, window: Range, what: str) -> None:
    """Refuse values with other times than those asked for, or that are no numbers.

    Raises:
        ExchangeUnavailable: says what came instead.
    """
    outside = (values.time < window[0]) | (values.time >= window[1])
    if outside.any():
        wrong = int(values.time[outside.argmax()])
        raise ExchangeUnavailable(
            f"{what}: {int(outside.sum())} of {len(values.time)} values are for other times, such"
            f" as {wrong}; nothing of it is stored"
        )
    if not np.isfinite(values.values).all():
        raise ExchangeUnavailable(f"{what}: a value is not a number; nothing of it is stored")
