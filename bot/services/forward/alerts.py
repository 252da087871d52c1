"""What a step tells people: messages to be stored with it and sent later. Records only."""

from collections.abc import Sequence
from typing import Any, Final

from data.storage.records import ForwardTest, NewMessage
from engine.orders import Event, Position, PositionClosed, PositionOpened, Trade
from engine.portfolio import Portfolio

TRADE_OPEN: Final = "trade_open"
TRADE_CLOSE: Final = "trade_close"
TEST_CHANNEL: Final = "test"


def alerts_of(
    test: ForwardTest, step: int, events: Sequence[Event], book: Portfolio, recovered: bool
) -> tuple[NewMessage, ...]:
    """Return a message for each position opened or closed in a step, in order.

    The key of a message names test, step and place: a step that is computed again after a crash
    gives the same keys, so nothing is told twice.
    """
    told = [
        _message(test, f"{step}:{place}", event, book, recovered)
        for place, event in enumerate(events)
        if isinstance(event, (PositionOpened, PositionClosed))
    ]
    return tuple(told)


def _message(
    test: ForwardTest,
    place: str,
    event: PositionOpened | PositionClosed,
    book: Portfolio,
    recovered: bool,
) -> NewMessage:
    if isinstance(event, PositionOpened):
        kind, details = TRADE_OPEN, position_payload(event.position)
    else:
        kind, details = TRADE_CLOSE, trade_payload(event.trade)
    payload: dict[str, Any] = {
        "test": test.name,
        "strategy": test.strategy,
        "symbol": test.symbol,
        "exchange": test.exchange,
        "time": event.time,
        "equity": book.equity,
        "balance": book.balance,
        "recovered": recovered,
        **details,
    }
    return NewMessage(
        dedupe_key=f"forward:{test.id}:{place}",
        kind=kind,
        channel=TEST_CHANNEL,
        payload=payload,
        test_id=test.id,
    )


def position_payload(position: Position) -> dict[str, Any]:
    """Return a position as plain values."""
    return {
        "id": position.id,
        "side": str(position.side),
        "entry_time": position.entry_time,
        "entry_price": position.entry_price,
        "size": position.size,
        "size_usd": position.size_usd,
        "stop_loss": position.stop_loss,
        "take_profit": position.take_profit,
    }


def trade_payload(trade: Trade) -> dict[str, Any]:
    """Return a trade as plain values."""
    return {
        "id": trade.id,
        "side": str(trade.side),
        "entry_time": trade.entry_time,
        "entry_price": trade.entry_price,
        "exit_time": trade.exit_time,
        "exit_price": trade.exit_price,
        "size": trade.size,
        "size_usd": trade.size_usd,
        "pnl": trade.pnl,
        "pnl_percent": trade.pnl_percent,
        "fees": trade.fees,
        "exit_reason": str(trade.exit_reason),
    }
