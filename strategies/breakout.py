"""Volatility breakout with a Donchian channel."""

from engine import Field, MultiTimeframeData, PortfolioView, Signal, Strategy, StrategyParams
from engine.indicators import atr, highest, lowest


class Breakout(Strategy):
    """Follow a close beyond the highest high or lowest low of the last candles.

    The stop lies some average true ranges away and the target a multiple of that; a close beyond
    the middle of the channel ends the trade early.
    """

    timeframes = ("4h",)

    class Params(StrategyParams):
        """Periods in candles, distances in average true ranges."""

        channel_period: int = Field(20, ge=2, le=500, description="candles in the channel")
        atr_period: int = Field(14, ge=2, le=200, description="candles in the average true range")
        stop_atr: float = Field(2, gt=0, le=20, description="stop distance, average true ranges")
        reward_ratio: float = Field(3, gt=0, le=50, description="target over stop distance")
        size_percent: float = Field(50, gt=0, le=100, description="position size, % of equity")

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind the channel and the range."""
        candles = data["4h"]
        self.upper = candles.indicator(highest, self.params.channel_period)
        self.lower = candles.indicator(lowest, self.params.channel_period)
        self.range = candles.indicator(atr, self.params.atr_period)

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Compare the close with the channel as it was one candle ago."""
        if len(data["4h"]) < 2:
            return []
        close = data["4h"].close
        upper, lower = self.upper[-2], self.lower[-2]
        if portfolio.has_position:
            middle = (upper + lower) / 2
            side = portfolio.positions[0].side.sign
            return [Signal.close()] if side * (close - middle) < 0 else []
        distance = self.params.stop_atr * self.range[-1]
        size, reward = self.params.size_percent, distance * self.params.reward_ratio
        if close > upper:
            return [Signal.open_long(size, stop_loss=close - distance, take_profit=close + reward)]
        if close < lower and close > reward:
            return [Signal.open_short(size, stop_loss=close + distance, take_profit=close - reward)]
        return []
