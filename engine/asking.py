"""Asking a strategy for its signals: every call of `on_candle` is here. No trading rules here."""

from collections.abc import Iterable
from typing import Any

from engine.errors import StrategyFailed
from engine.failures import describe_failure
from engine.frames import MultiTimeframeData
from engine.market import Market
from engine.orders import Signal
from engine.portfolio import Portfolio, PortfolioView
from engine.strategy import Strategy


def ask(strategy: Strategy, data: MultiTimeframeData, view: PortfolioView) -> list[Signal]:
    """Return what a strategy wants done now.

    Raises:
        StrategyFailed: the strategy's own code raised, or gave something else than signals.
    """
    try:
        signals = strategy.on_candle(data, view)
    except Exception as error:
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
    decide, data, frame = strategy.on_candle, market.data, market.smallest
    signals = None
    try:
        for frame.count, book.last_price in calls:
            if signals := decide(data, view):
                break
    except Exception as error:
        raise describe_failure(error, strategy) from error
    finally:
        market.catch_up()
    return _checked(signals, strategy)


def _checked(signals: object, strategy: Strategy) -> list[Signal]:
    if signals is None:
        return []
    answer = signals if isinstance(signals, list) else _listed(signals, strategy)
    for signal in answer:
        if not isinstance(signal, Signal):
            raise _refusal(signals, strategy)
    return list(answer)


def _listed(signals: object, strategy: Strategy) -> list[Any]:
    if isinstance(signals, Signal):
        return [signals]
    if not isinstance(signals, Iterable):
        if not signals:  # `return condition and [...]`
            return []
        raise _refusal(signals, strategy)
    try:
        return list(signals)  # a generator runs the strategy's code here
    except Exception as error:
        raise describe_failure(error, strategy) from error


def _refusal(signals: object, strategy: Strategy) -> StrategyFailed:
    name = type(strategy).__name__
    return StrategyFailed(f"{name}.on_candle must return a list of Signal, got {signals!r:.80}")
