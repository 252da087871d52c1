"""What is traded: signals, positions, trades and the events that tell of them. Records only."""

from dataclasses import dataclass
from enum import StrEnum

from engine.records import quick_to_make


class Side(StrEnum):
    """The direction of a position; `sign` is +1 for long, -1 for short."""

    LONG = "long"
    SHORT = "short"

    def __init__(self, name: str) -> None:
        # A plain attribute, because trading looks at it again and again.
        self.sign = 1 if name == "long" else -1


class SignalAction(StrEnum):
    """What a signal asks for."""

    OPEN_LONG = "open_long"
    OPEN_SHORT = "open_short"
    CLOSE = "close"


class ExitReason(StrEnum):
    """Why a position was closed."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    LIQUIDATION = "liquidation"
    MANUAL = "manual"
    END = "end"


@quick_to_make
@dataclass(frozen=True, slots=True)
class Signal:
    """What a strategy wants done; made by `open_long`, `open_short` and `close`."""

    action: SignalAction
    size_percent: float = 0.0
    stop_loss: float | None = None
    take_profit: float | None = None
    position_id: int | None = None

    @classmethod
    def open_long(
        cls,
        size_percent: float = 100.0,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
    ) -> "Signal":
        """Buy for `size_percent` of equity; stop and target are prices."""
        return cls(SignalAction.OPEN_LONG, size_percent, stop_loss, take_profit)

    @classmethod
    def open_short(
        cls,
        size_percent: float = 100.0,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
    ) -> "Signal":
        """Sell short for `size_percent` of equity; stop and target are prices."""
        return cls(SignalAction.OPEN_SHORT, size_percent, stop_loss, take_profit)

    @classmethod
    def close(cls, position_id: int | None = None) -> "Signal":
        """Close one position, or all of them when no id is given."""
        return cls(SignalAction.CLOSE, position_id=position_id)


@quick_to_make
@dataclass(frozen=True, slots=True)
class Position:
    """An open position: times in ms UTC, `size` in the base asset, `size_usd` at entry."""

    id: int
    side: Side
    entry_time: int
    entry_price: float
    size: float
    size_usd: float
    entry_fee: float
    entry_slippage: float = 0.0
    stop_loss: float | None = None
    take_profit: float | None = None

    def unrealized_pnl(self, price: float) -> float:
        """Return the profit in USD at a price, before fees; negative for a loss."""
        return self.side.sign * self.size * (price - self.entry_price)

    def notional(self, price: float) -> float:
        """Return the position's value in USD at a price, never negative."""
        return self.size * price


@quick_to_make
@dataclass(frozen=True, slots=True)
class Trade:
    """A closed position: times in ms UTC, `pnl` in USD net of both fees, `fees` for both sides.

    `slippage` is what both market fills cost against their reference prices, in USD;
    `ambiguous` marks a base candle that reached stop and target (the stop was assumed).
    """

    id: int
    side: Side
    entry_time: int
    entry_price: float
    exit_time: int
    exit_price: float
    size: float
    size_usd: float
    pnl: float
    pnl_percent: float
    fees: float
    exit_reason: ExitReason
    ambiguous: bool = False
    slippage: float = 0.0
    stop_loss: float | None = None
    take_profit: float | None = None

    @property
    def holding_ms(self) -> int:
        """How long the position was open, in ms."""
        return self.exit_time - self.entry_time


@dataclass(frozen=True, slots=True)
class PositionOpened:
    """A signal was filled; `time` is in ms UTC."""

    time: int
    position: Position


@dataclass(frozen=True, slots=True)
class PositionClosed:
    """A position was closed; `time` is in ms UTC."""

    time: int
    trade: Trade


@dataclass(frozen=True, slots=True)
class SignalRejected:
    """A signal could not be carried out; the run goes on."""

    time: int
    signal: Signal
    reason: str


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """Funding was settled; `amount_usd` is positive when the account paid."""

    time: int
    rate: float
    amount_usd: float


Event = PositionOpened | PositionClosed | SignalRejected | FundingPaid
