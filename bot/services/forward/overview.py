"""How a forward test stands at one moment: its book, prices and times. Reads only, renders nothing.

A test that is alive is read from its engine, any other from the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.services.forward.runner import ForwardRunner
from bot.services.forward.session import ForwardConfig
from data.database import Database
from data.storage.records import ForwardTest
from engine.orders import Position
from engine.timeframe import MINUTE_MS, floor_to_timeframe, get_timeframe_ms


@dataclass(frozen=True, slots=True)
class PositionView:
    """An open position at a price; `mark` and all that follows is None where no price is known.

    Profit is in USD before the exit's fee, and in percent of what was paid at entry.
    """

    position: Position
    mark: float | None

    @property
    def profit_usd(self) -> float | None:
        """The unrealised profit in USD; negative for a loss."""
        return None if self.mark is None else self.position.unrealized_pnl(self.mark)

    @property
    def profit_percent(self) -> float | None:
        """The unrealised profit in percent of the size at entry."""
        profit = self.profit_usd
        return None if profit is None else 100 * profit / self.position.size_usd

    def distance_percent(self, level: float | None) -> float | None:
        """Return how far a level lies from the mark, in percent of it."""
        if level is None or not self.mark:
            return None
        return 100 * (level / self.mark - 1)


@dataclass(frozen=True, slots=True)
class ForwardView:
    """A forward test at one moment: money in USD, times in ms UTC.

    `is_live` says whether this process runs it; `next_close` is when its strategy decides next,
    `down_since` when its stream broke.
    """

    test: ForwardTest
    config: ForwardConfig
    is_live: bool
    equity: float
    balance: float
    trades: int
    positions: tuple[PositionView, ...]
    timeframe: str | None = None
    last_close: int | None = None
    next_close: int | None = None
    down_since: int | None = None

    @property
    def return_percent(self) -> float:
        """The change of equity since the start, in percent."""
        return 100 * (self.equity / self.config.initial_balance - 1)

    @property
    def unrealized_usd(self) -> float | None:
        """The profit of all open positions in USD; None where no price is known."""
        return total_profit_usd(self.positions)


def total_profit_usd(positions: Iterable[PositionView]) -> float | None:
    """Return the profit of positions in USD, as far as a price is known; None if none is."""
    known = [view.profit_usd for view in positions if view.profit_usd is not None]
    return sum(known) if known else None


async def view_test(
    database: Database, test: ForwardTest, runner: ForwardRunner | None
) -> ForwardView:
    """Return how a test stands; `runner` is None where this process doesn't run it."""
    trades = await database.count_trades(test.id)
    if runner is not None:
        return _view_live(test, runner, trades)
    config = ForwardConfig.from_json(test.config)
    portfolio = await database.get_portfolio(test.id)
    positions = await database.get_open_positions(test.id)
    last = portfolio.last_candle_time if portfolio else None
    return ForwardView(
        test=test,
        config=config,
        is_live=False,
        equity=portfolio.equity if portfolio else config.initial_balance,
        balance=portfolio.balance if portfolio else config.initial_balance,
        trades=trades,
        positions=tuple(PositionView(position, None) for position in positions),
        last_close=None if last is None else last + MINUTE_MS,
    )


def _view_live(test: ForwardTest, runner: ForwardRunner, trades: int) -> ForwardView:
    session = runner.session
    book, timeframe = session.engine.portfolio, session.engine.strategy.smallest_timeframe()
    last = session.last_open_time
    # Before the first candle there is no price to mark with.
    mark = book.last_price or None
    close = None if last is None else last + MINUTE_MS
    return ForwardView(
        test=test,
        config=session.config,
        is_live=True,
        equity=book.equity,
        balance=book.balance,
        trades=trades,
        positions=tuple(PositionView(position, mark) for position in book.positions),
        timeframe=timeframe,
        last_close=close,
        next_close=None if close is None else _next_close(close, timeframe),
        down_since=runner.down_since,
    )


def _next_close(time: int, timeframe: str) -> int:
    return floor_to_timeframe(time, timeframe) + get_timeframe_ms(timeframe)
