"""What trading costs: replaceable models of fees and slippage. Pure functions of price and size."""

from dataclasses import dataclass
from typing import Protocol


class CostModel(Protocol):
    """Prices market fills and fees."""

    def market_price(self, reference: float, *, buying: bool) -> float:
        """Return the price that a market order gets where the market stands at `reference`."""

    def fee_usd(self, price: float, size: float) -> float:
        """Return the fee in USD for a fill of `size` in the base asset."""


@dataclass(frozen=True, slots=True)
class FixedCosts:
    """A fee on notional and a slippage in basis points, always against the trader."""

    fee_rate: float = 0.0005
    slippage_bps: float = 0.0

    def market_price(self, reference: float, *, buying: bool) -> float:
        """Return `reference` moved against the trader by the slippage."""
        shift = self.slippage_bps / 1e4
        return reference * (1 + shift if buying else 1 - shift)

    def fee_usd(self, price: float, size: float) -> float:
        """Return fee rate times notional, in USD."""
        return self.fee_rate * size * price
