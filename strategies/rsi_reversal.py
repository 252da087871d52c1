"""Mean reversion with the relative strength index."""

from engine import Field, MultiTimeframeData, PortfolioView, Signal, Strategy, StrategyParams
from engine.indicators import atr, crossed_above, rsi, sma


class RsiReversal(Strategy):
    """Buy an oversold market that turns up, while its long trend still rises.

    Enters when the RSI comes back above the oversold level and the close is above its trend
    average; leaves when the RSI reaches the exit level or at a stop of some average true ranges.
    """

    timeframes = ("1h",)

    class Params(StrategyParams):
        """Periods in candles, RSI levels from 0 to 100, the stop in average true ranges."""

        rsi_period: int = Field(14, ge=2, le=200, description="candles in the RSI")
        oversold: float = Field(40, gt=0, lt=50, description="RSI level to come back above")
        exit_level: float = Field(60, gt=20, lt=100, description="RSI level to leave at")
        trend_period: int = Field(200, ge=2, le=2000, description="candles in the trend average")
        stop_atr: float = Field(3, gt=0, le=20, description="stop distance, average true ranges")
        size_percent: float = Field(50, gt=0, le=100, description="position size, % of equity")

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the indicators."""
        candles = data["1h"]
        self.rsi = candles.indicator(rsi, self.params.rsi_period)
        self.turned_up = candles.indicator(crossed_above, self.rsi, self.params.oversold)
        self.trend = candles.indicator(sma, self.params.trend_period)
        self.range = candles.indicator(atr, 14)

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Leave at the exit level, else enter on a turn."""
        if portfolio.has_position:
            return [Signal.close()] if self.rsi[-1] >= self.params.exit_level else []
        close = data["1h"].close
        if not (self.turned_up[-1] and close > self.trend[-1]):
            return []
        stop_loss = close - self.params.stop_atr * self.range[-1]
        return [Signal.open_long(self.params.size_percent, stop_loss=stop_loss)]
