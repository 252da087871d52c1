"""Executors: where a market order meets the market. Live and backtest differ in nothing else."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from engine.execution.costs import CostModel
from engine.records import quick_to_make


@quick_to_make
@dataclass(frozen=True, slots=True)
class Fill:
    """A fill: `price` paid, `slippage_usd` against the reference and `fee_usd`."""

    price: float
    fee_usd: float
    slippage_usd: float


class Executor(ABC):
    """Fills orders with a cost model."""

    def __init__(self, costs: CostModel) -> None:
        self.costs = costs

    @abstractmethod
    def reference_price(self, candle_price: float) -> float:
        """Return where the market stands when the candle says `candle_price`."""

    def market_price(self, reference: float, *, buying: bool) -> float:
        """Return the price of a market order, slippage included."""
        return self.costs.market_price(reference, buying=buying)

    def fill_market(self, reference: float, size: float, *, buying: bool) -> Fill:
        """Fill a market order of `size` in the base asset."""
        costs = self.costs
        price = costs.market_price(reference, buying=buying)
        return Fill(price, costs.fee_usd(price, size), abs(price - reference) * size)

    def fill_limit(self, price: float, size: float) -> Fill:
        """Fill a resting order at its price, without slippage."""
        return Fill(price, self.costs.fee_usd(price, size), 0.0)


class BacktestExecutor(Executor):
    """The market stands where the candle says."""

    def reference_price(self, candle_price: float) -> float:
        """Return the candle's price."""
        return candle_price


class PaperExecutor(Executor):
    """The market stands where its last tick was; without any tick, where the candle says."""

    def __init__(self, costs: CostModel) -> None:
        super().__init__(costs)
        self._last_tick: float | None = None

    def on_tick(self, price: float) -> None:
        """Take the price of the latest trade on the exchange."""
        self._last_tick = price

    def forget_ticks(self) -> None:
        """Trust candles again, as while missed candles are made up for."""
        self._last_tick = None

    def reference_price(self, candle_price: float) -> float:
        """Return the last tick's price, or the candle's where there was none."""
        return candle_price if self._last_tick is None else self._last_tick
