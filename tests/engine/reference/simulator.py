"""The rules of simulation as one plain, slow loop over 1m candles, to check the engine against.

Its worth is its independence: it's written from the rules alone, in plain floats, and nothing of
the engine's step path, portfolio or execution may be used or looked at here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from engine.candles import Candle
from engine.orders import Signal
from engine.timeframe import get_timeframe_ms
from tests.engine.reference.account import Account, ClosedTrade, OpenPosition

MINUTE_MS = 60_000
MONDAY_MS = 4 * 24 * 60 * MINUTE_MS  # the first Monday after the epoch, a Thursday


@dataclass
class Decision:
    """What is known at a call: closed candles by timeframe, equity at the last close."""

    time: int
    visible: dict[str, list[Candle]]
    positions: list[OpenPosition]
    equity: float


@dataclass
class ReferenceRun:
    """All that came of a run; rejections are (time, kind), marks of equity (close time, equity)."""

    trades: list[ClosedTrade]
    rejections: list[tuple[int, str]]
    equity: list[tuple[int, float]]
    final_equity: float
    fees: float
    slippage: float
    funding: float


def open_of_bar(timestamp: int, timeframe: str) -> int:
    """Return the open time of the coarser candle that holds a base candle; weeks begin Mondays."""
    first = MONDAY_MS if timeframe == "1w" else 0
    return timestamp - (timestamp - first) % get_timeframe_ms(timeframe)


def extend_bar(bar: Candle | None, candle: Candle, timeframe: str) -> Candle:
    """Return a bar with one more base candle in it."""
    if bar is None:
        open_time = open_of_bar(candle.timestamp, timeframe)
        return Candle(open_time, candle.open, candle.high, candle.low, candle.close, candle.volume)
    return Candle(
        bar.timestamp,
        bar.open,
        max(bar.high, candle.high),
        min(bar.low, candle.low),
        candle.close,
        bar.volume + candle.volume,
    )


def simulate(
    candles: list[Candle],
    decide: Callable[[Decision], list[Signal]],
    *,
    timeframes: tuple[str, ...],
    start: int | None = None,
    initial_balance: float = 10_000.0,
    fee_rate: float = 0.0,
    slippage_bps: float = 0.0,
    max_leverage: float = 1.0,
    fill: str = "close",
    funding: list[tuple[int, float]] | None = None,
) -> ReferenceRun:
    """Run a strategy over 1m candles; `funding` is (time in ms, rate), `start` in ms."""
    account = Account(initial_balance, fee_rate, slippage_bps, max_leverage)
    smallest = min(timeframes, key=get_timeframe_ms)
    building: dict[str, Candle | None] = dict.fromkeys(timeframes)
    visible: dict[str, list[Candle]] = {timeframe: [] for timeframe in timeframes}
    begin = start if start is not None else candles[0].timestamp if candles else 0
    due_funding = sorted((time, rate) for time, rate in funding or [] if time > begin)
    pending: list[Signal] = []
    equity: list[tuple[int, float]] = []
    last_close = 0.0

    def ask() -> list[Signal]:
        time = visible[smallest][-1].timestamp + get_timeframe_ms(smallest)
        return decide(Decision(time, visible, list(account.positions), account.equity(last_close)))

    for candle in candles:
        running = candle.timestamp >= begin
        close_time = candle.timestamp + MINUTE_MS

        # Bars whose last base candle is missing close now, before anything else.
        overdue = []
        for timeframe in timeframes:
            bar = building[timeframe]
            if bar and bar.timestamp + get_timeframe_ms(timeframe) <= candle.timestamp:
                visible[timeframe].append(bar)
                building[timeframe] = None
                overdue.append(timeframe)
        if running and smallest in overdue:
            pending = pending + ask()

        for signal in pending:
            account.execute(signal, candle.open, candle.timestamp)
        pending = []

        for position in list(account.positions):
            account.settle(position, candle, close_time)
        account.liquidate(candle, close_time)

        while due_funding and due_funding[0][0] <= close_time:
            account.pay_funding(due_funding.pop(0)[1], candle.close)

        last_close = candle.close
        closed = []
        for timeframe in timeframes:
            bar = extend_bar(building[timeframe], candle, timeframe)
            building[timeframe] = bar
            if bar.timestamp + get_timeframe_ms(timeframe) == close_time:
                visible[timeframe].append(bar)
                building[timeframe] = None
                closed.append(timeframe)
        if running and smallest in closed:
            pending = ask()
        if fill == "close":
            for signal in pending:
                account.execute(signal, candle.close, close_time)
            pending = []

        if running:
            if candle is candles[-1]:
                for position in list(account.positions):
                    account.leave_at_market(position, candle.close, close_time, "end")
            equity.append((close_time, account.equity(candle.close)))

    return ReferenceRun(
        trades=account.trades,
        rejections=account.rejections,
        equity=equity,
        final_equity=equity[-1][1] if equity else initial_balance,
        fees=account.fees,
        slippage=account.slippage,
        funding=account.funding,
    )
