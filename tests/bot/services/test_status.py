"""How /status asks the exchange: for a moment, and then it says what was known before."""

import asyncio
import threading

import pytest

from bot.services.status import ExchangeProbe
from data.errors import ExchangeUnavailable

NEVER_S = 3600.0


class Exchange:
    """Answers, fails, or hangs until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.was_asked = threading.Event()
        self.error: Exception | None = None
        self.is_hanging = False
        self.is_cancelled = False

    async def ask(self) -> int:
        self.asked += 1
        self.was_asked.set()
        try:
            if self.is_hanging:
                await asyncio.sleep(NEVER_S)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return 1


@pytest.fixture
def exchange():
    return Exchange()


def probe_of(exchange, patience_s=NEVER_S, timeout_s=NEVER_S):
    return ExchangeProbe("binance", exchange.ask, patience_s=patience_s, timeout_s=timeout_s)


async def test_an_answer_is_measured(exchange):
    state = await probe_of(exchange).look()

    assert state.problem is None
    assert state.answered_s < 60
    assert state.last_answer is not None


async def test_each_look_asks_anew(exchange):
    probe = probe_of(exchange)
    await probe.look()
    exchange.error = ExchangeUnavailable("down")
    state = await probe.look()

    assert (state.answered_s, state.problem) == (None, "down")
    assert state.last_answer is not None


async def test_a_hanging_exchange_is_not_waited_for(exchange):
    exchange.is_hanging = True
    probe = probe_of(exchange, patience_s=0.0)
    first, second = await probe.look(), await probe.look()
    await probe.close()

    assert first == second
    assert first.problem == "no answer within 0 s"
    assert first.last_answer is None
    assert exchange.asked <= 1


async def test_what_was_known_before_is_told_while_it_hangs(exchange):
    probe = probe_of(exchange)
    answered = await probe.look()
    exchange.is_hanging, probe._patience_s = True, 0.0
    state = await probe.look()
    await probe.close()

    assert state.answered_s is None
    assert state.last_answer == answered.last_answer


async def test_the_last_reason_is_told_while_it_hangs(exchange):
    probe = probe_of(exchange)
    exchange.error = ExchangeUnavailable("banned until noon")
    await probe.look()
    exchange.is_hanging, probe._patience_s = True, 0.0
    state = await probe.look()
    await probe.close()

    assert state.problem == "banned until noon"


async def test_two_who_look_at_once_share_one_question(exchange):
    probe = probe_of(exchange)
    states = await asyncio.gather(probe.look(), probe.look())

    assert states[0] is states[1]
    assert exchange.asked == 1


async def test_asking_ends_by_itself_in_the_background(exchange):
    exchange.is_hanging = True
    state = await probe_of(exchange, timeout_s=0.01).look()

    assert state.problem == "no answer within 0.01 s"
    assert exchange.is_cancelled


async def test_closing_ends_the_question(exchange):
    exchange.is_hanging = True
    probe = probe_of(exchange, patience_s=0.0)
    await probe.look()
    await asyncio.to_thread(exchange.was_asked.wait)
    await probe.close()

    assert exchange.is_cancelled
