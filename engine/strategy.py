"""What a strategy author derives from: `Strategy` and `StrategyParams`. No files are read here."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import InvalidParams, StrategyError
from engine.frames import MultiTimeframeData
from engine.history import IndicatorView
from engine.market import HISTORY_MS
from engine.orders import Signal
from engine.portfolio import PortfolioView
from engine.timeframe import base_of, get_timeframe_minutes
from engine.words import nearest


class StrategyParams(BaseModel):
    """Base of a strategy's parameters: typed fields with defaults, ranges and descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Strategy:
    """Base of all strategies; a subclass says its timeframes and decides in `on_candle`.

    `on_candle` runs at each close of the smallest of `timeframes`; the others are context.
    `history_ms` is how far back `history` reaches (default one year).
    """

    timeframes: ClassVar[tuple[str, ...]] = ("1h",)
    history_ms: ClassVar[int] = HISTORY_MS

    class Params(StrategyParams):
        """A strategy without parameters."""

    def __init__(self, params: StrategyParams | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    @classmethod
    def make_params(cls, values: Mapping[str, Any]) -> StrategyParams:
        """Check parameters given as text or values.

        Raises:
            InvalidParams: unknown or out of range; the message says what is allowed.
        """
        try:
            return cls.Params.model_validate(dict(values))
        except ValidationError as error:
            problems = "; ".join(_problem(cls, item) for item in error.errors())
            raise InvalidParams(problems) from None

    @classmethod
    def check_definition(cls) -> None:
        """Check what the class says about itself.

        Raises:
            StrategyError: timeframes missing, unknown or not a tuple.
        """
        if not isinstance(cls.timeframes, tuple) or not cls.timeframes:
            raise StrategyError(f'{cls.__name__}.timeframes must be a tuple such as ("1h",)')
        for timeframe in cls.timeframes:
            get_timeframe_minutes(timeframe)
        if cls.on_candle is Strategy.on_candle:
            raise StrategyError(f"{cls.__name__} has no on_candle(self, data, portfolio)")

    @classmethod
    def smallest_timeframe(cls) -> str:
        """Return the timeframe at whose closes `on_candle` runs."""
        return base_of(cls.timeframes)

    def on_init(self, data: MultiTimeframeData) -> None:
        """Bind indicators; called once before the first candle."""

    def wake(self, data: MultiTimeframeData) -> IndicatorView | npt.NDArray[np.bool_] | None:
        """Say beforehand at which closes `on_candle` has anything to decide; None: at every one.

        A condition for each candle of the smallest timeframe, such as an indicator of crossings.
        A backtest then jumps between them. `on_candle` must do nothing elsewhere, and must not
        count its calls: `jesse check` verifies that.
        """
        return None

    def on_candle(
        self, data: MultiTimeframeData, portfolio: PortfolioView
    ) -> list[Signal] | Signal | None:
        """Decide at a close; return signals in the order to carry them out."""
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        """Return what the strategy must remember across a restart, as values for JSON."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what `get_state` returned."""


class RestingStrategy(Strategy):
    """Stands in for a strategy that failed: it decides nothing and keeps the other's state."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self._state = state

    def on_candle(self, data: MultiTimeframeData, portfolio: PortfolioView) -> list[Signal]:
        """Decide nothing."""
        return []

    def get_state(self) -> dict[str, Any]:
        """Return the state that the failed strategy saved last."""
        return self._state


def _problem(strategy: type[Strategy], item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    known = list(strategy.Params.model_fields)
    if item["type"] == "extra_forbidden":
        hint = nearest(name, known)
        choice = f"did you mean {hint}? " if hint else ""
        return f"unknown parameter {name}: {choice}known are {', '.join(known) or 'none'}"
    if not name:  # a rule for all of them together; pydantic puts its own words before ours
        return f"parameters: {item['msg'].removeprefix('Value error, ')}"
    if item["type"] == "missing":
        return f"parameter {name} must be given"
    return f"parameter {name}: {item['msg']}, got {item['input']!r}"
