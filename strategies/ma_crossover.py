"""Trend following with two moving averages."""

from engine import (
    Field,
    IndicatorView,
    MultiTimeframeData,
    PortfolioView,
    Signal,
    Strategy,
    StrategyParams,
)
from engine.indicators import crossed, crossed_above, crossed_below, sma


class MaCrossover(Strategy):
    """Trade the crossing of two moving averages.

    Buys when the fast average crosses above the slow one and sells short when it crosses below
    (if shorts are allowed); the opposite crossing, the stop or the target ends the trade.
    """

    timeframes = ("1h",)

    class Params(StrategyParams):
        """Periods in candles, distances in percent of the price."""

        fast_period: int = Field(50, ge=2, le=500, description="candles in the fast average")
        slow_period: int = Field(200, ge=3, le=2000, description="candles in the slow average")
        size_percent: float = Field(95, gt=0, le=100, description="position size, % of equity")
        stop_loss_percent: float = Field(4, gt=0, lt=100, description="stop distance, %")
        take_profit_percent: float = Field(12, gt=0, le=1000, description="target distance, %")
        allow_short: bool = Field(True, description="also sell short on downward crossings")

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the averages and their crossings."""
        candles = data["1h"]
        fast = candles.indicator(sma, self.params.fast_period)
        slow = candles.indicator(sma, self.params.slow_period)
        self.crossed_up = candles.indicator(crossed_above, fast, slow)
        self.crossed_down = candles.indicator(crossed_below, fast, slow)
        self.crossed: IndicatorView = candles.indicator(crossed, fast, slow)

    def wake(self, data: MultiTimeframeData) -> IndicatorView:
        """Decide at crossings only."""
        return self.crossed

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Turn the position at each crossing."""
        if self.crossed_up[-1]:
            return [Signal.close(), self._open_long(data["1h"].close)]
        if self.crossed_down[-1]:
            signals = [Signal.close()]
            if self.params.allow_short:
                signals.append(self._open_short(data["1h"].close))
            return signals
        return []

    def _open_long(self, price: float) -> Signal:
        return Signal.open_long(
            self.params.size_percent,
            stop_loss=price * (1 - self.params.stop_loss_percent / 100),
            take_profit=price * (1 + self.params.take_profit_percent / 100),
        )

    def _open_short(self, price: float) -> Signal:
        target = price * (1 - self.params.take_profit_percent / 100)
        return Signal.open_short(
            self.params.size_percent,
            stop_loss=price * (1 + self.params.stop_loss_percent / 100),
            take_profit=target if target > 0 else None,
        )
