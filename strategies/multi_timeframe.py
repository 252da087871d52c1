"""Entries on one-minute candles in the direction of the four-hour trend."""

from engine import (
    Field,
    IndicatorView,
    MultiTimeframeData,
    PortfolioView,
    Signal,
    Strategy,
    StrategyParams,
)
from engine.indicators import any_of, atr, crossed_above, crossed_below, ema, rsi


class MultiTimeframe(Strategy):
    """Buy dips of a rising four-hour trend on one-minute candles, sell rallies of a falling one.

    The trend is the order of two exponential averages on 4h. An entry comes when the 1m RSI turns
    back from an extreme in the trend's direction; stop and target are multiples of the 4h range.
    """

    timeframes = ("1m", "4h")

    class Params(StrategyParams):
        """Periods in candles, distances in average true ranges of 4h."""

        fast_period: int = Field(20, ge=2, le=200, description="4h candles, fast average")
        slow_period: int = Field(50, ge=3, le=500, description="4h candles, slow average")
        rsi_period: int = Field(14, ge=2, le=200, description="1m candles in the RSI")
        extreme: float = Field(20, gt=0, lt=50, description="RSI distance from 0 and 100")
        stop_atr: float = Field(1.5, gt=0, le=20, description="stop distance, 4h ranges")
        target_atr: float = Field(3, gt=0, le=50, description="target distance, 4h ranges")
        size_percent: float = Field(50, gt=0, le=100, description="position size, % of equity")

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the trend on 4h and the turns on 1m."""
        trend, entry, params = data["4h"], data["1m"], self.params
        self.fast = trend.indicator(ema, params.fast_period)
        self.slow = trend.indicator(ema, params.slow_period)
        self.range = trend.indicator(atr, 14)
        strength = entry.indicator(rsi, params.rsi_period)
        self.turned_up = entry.indicator(crossed_above, strength, params.extreme)
        self.turned_down = entry.indicator(crossed_below, strength, 100 - params.extreme)
        self.turned: IndicatorView = entry.indicator(any_of, self.turned_up, self.turned_down)

    def wake(self, data: MultiTimeframeData) -> IndicatorView:
        """Decide at turns only."""
        return self.turned

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Enter on a turn in the trend's direction; stop and target do the rest."""
        if portfolio.has_position or len(data["4h"]) <= self.params.slow_period:
            return []
        rising = self.fast[-1] > self.slow[-1]
        if rising and self.turned_up[-1]:
            return [self._open(data["1m"].close, rising=True)]
        if not rising and self.turned_down[-1]:
            return [self._open(data["1m"].close, rising=False)]
        return []

    def _open(self, price: float, *, rising: bool) -> Signal:
        stop = self.params.stop_atr * self.range[-1]
        target = self.params.target_atr * self.range[-1]
        size = self.params.size_percent
        if rising:
            return Signal.open_long(size, stop_loss=price - stop, take_profit=price + target)
        return Signal.open_short(
            size, stop_loss=price + stop, take_profit=max(price - target, 1e-9)
        )
