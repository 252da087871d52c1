"""What the service of forward tests is asked, asks for, and tells. Records and protocols only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from bot.services.forward.revival import WhileAway
from bot.services.forward.runner import ForwardRunner
from data.storage.records import ForwardTest, NewForwardTest, StepRecord
from data.streams.events import MarketListener


class LiveMarket(Protocol):
    """Live candles and ticks; `LiveDataProvider` is one."""

    async def now(self) -> int:
        """Return the exchange's time in ms."""

    async def subscribe_market(
        self,
        symbol: str,
        listener: MarketListener,
        *,
        ticks: bool = False,
        after: int | None = None,
    ) -> None:
        """Tell a listener each candle that opens later than `after`, and ticks."""

    async def unsubscribe_market(self, symbol: str, listener: MarketListener) -> None:
        """Tell a listener nothing more."""


class ForwardWatcher(Protocol):
    """Is told what forward tests do; must not raise."""

    def on_step(self, runner: ForwardRunner, record: StepRecord) -> None:
        """Note that a step was stored."""

    def on_fault(self, runner: ForwardRunner, reason: str) -> None:
        """Note that a test can't go on by itself."""

    def on_recovered(self, runner: ForwardRunner, away: WhileAway) -> None:
        """Note that a test is back after a restart."""


@dataclass(frozen=True, slots=True)
class ForwardAsk:
    """A forward test as a user asked for it: parameters as text or values, None means default."""

    strategy: str
    symbol: str | None = None
    initial_balance: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    ticks: bool = True
    channel_id: int | None = None
    created_by: int | None = None


def unstored(new: NewForwardTest) -> ForwardTest:
    """Return a test as it would be stored, with an id that none has."""
    values = {item.name: getattr(new, item.name) for item in fields(new)}
    known = {item.name for item in fields(ForwardTest)}
    rest = dict.fromkeys(known - values.keys())
    return ForwardTest(**{**rest, **values, "id": 0})
