"""Making a strategy and asking it for its signals: every call of `on_candle` is here.

No trading rules here.
"""

from collections.abc import Iterable
from operator import index
from types import NoneType
from typing import Any, Final

from engine.errors import StrategyFailed
from engine.failures import RAISED, describe_failure
from engine.frames import MultiTimeframeData
from engine.market import Market
from engine.orders import Signal, SignalAction
from engine.portfolio import Portfolio, PortfolioView
from engine.strategy import Strategy, StrategyParams

_NUMBER: Final = frozenset({float, int})
_LEVEL: Final = frozenset({float, int, NoneType})
_ID: Final = frozenset({int, NoneType})


def make_strategy(strategy: type[Strategy], params: StrategyParams) -> Strategy:
    """Return a new strategy with these parameters.

    Raises:
        StrategyFailed: the strategy's own code raised.
    """
    try:
        return strategy(params)
    except RAISED as error:
        raise describe_failure(error, strategy, "__init__") from error


def ask(strategy: Strategy, data: MultiTimeframeData, view: PortfolioView) -> list[Signal]:
    """Return what a strategy wants done now.

    Raises:
        StrategyFailed: the strategy's own code raised, or gave something else than signals.
    """
    try:
        signals = strategy.on_candle(data, view)
    except RAISED as error:
        raise describe_failure(error, strategy) from error
    return _checked(signals, strategy)


def ask_in_a_row(
    strategy: Strategy,
    market: Market,
    book: Portfolio,
    view: PortfolioView,
    calls: Iterable[tuple[int, float]],
) -> list[Signal]:
    """Let market time pass from call to call until the strategy wants anything; return that.

    `calls` are those of `Market.next_calls`, between which nothing else happens.

    Raises:
        StrategyFailed: the strategy's own code raised, or gave something else than signals.
    """
    data, frame = market.data, market.smallest
    signals = None
    try:
        for frame.count, book.last_price in calls:
            if signals := strategy.on_candle(data, view):
                break
    except RAISED as error:
        raise describe_failure(error, strategy) from error
    finally:
        market.catch_up()
    return _checked(signals, strategy)


def _checked(signals: object, strategy: Strategy) -> list[Signal]:
    if signals is None:
        return []
    answer = signals if isinstance(signals, list) else _listed(signals, strategy)
    checked = []
    for signal in answer:
        if not isinstance(signal, Signal):
            raise _refusal(signals, strategy)
        checked.append(signal if _is_plain(signal) else _plain(signal, strategy))
    return checked


def _listed(signals: object, strategy: Strategy) -> list[Any]:
    if isinstance(signals, Signal):
        return [signals]
    if not isinstance(signals, Iterable):
        if not signals:  # `return condition and [...]`
            return []
        raise _refusal(signals, strategy)
    try:
        return list(signals)  # a generator runs the strategy's code here
    except RAISED as error:
        raise describe_failure(error, strategy) from error


def _is_plain(signal: Signal) -> bool:
    return (
        signal.action.__class__ is SignalAction
        and signal.size_percent.__class__ in _NUMBER
        and signal.stop_loss.__class__ in _LEVEL
        and signal.take_profit.__class__ in _LEVEL
        and signal.position_id.__class__ in _ID
    )


def _plain(signal: Signal, strategy: Strategy) -> Signal:
    """Return a signal of Python's own numbers: with NumPy's the book would get their precision."""
    try:
        return Signal(
            SignalAction(signal.action),
            float(signal.size_percent),
            None if signal.stop_loss is None else float(signal.stop_loss),
            None if signal.take_profit is None else float(signal.take_profit),
            None if signal.position_id is None else index(signal.position_id),
        )
    except (TypeError, ValueError, OverflowError) as error:
        name = type(strategy).__name__
        raise StrategyFailed(
            f"{name}.on_candle gave a signal that can't be carried out ({error}): {signal!r:.200}"
        ) from None


def _refusal(signals: object, strategy: Strategy) -> StrategyFailed:
    name = type(strategy).__name__
    return StrategyFailed(f"{name}.on_candle must return a list of Signal, got {signals!r:.80}")
