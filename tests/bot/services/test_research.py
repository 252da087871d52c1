"""Research without Discord: what is checked, what is queued, what comes back."""

import asyncio
import threading

import pytest

from bot.errors import InvalidInput, UnknownStrategy
from bot.services.jobs import JobOwner
from bot.services.requests import BacktestAsk, JobState
from bot.services.research import SymbolBook
from data.errors import ExchangeUnavailable, UnknownSymbol
from engine.errors import InvalidParams, InvalidRun

OWNER = JobOwner(1, "ann", 2)
FAST = {"fast_period": "10", "slow_period": "30"}


@pytest.fixture
def research(bench):
    return bench.app.client.services.research


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (BacktestAsk("nope"), UnknownStrategy),
        (BacktestAsk("ma_crossover", params={"fast_period": "x"}), InvalidParams),
        (BacktestAsk("ma_crossover", symbol="?"), UnknownSymbol),
        (BacktestAsk("ma_crossover", start="soon"), InvalidInput),
        (BacktestAsk("ma_crossover", initial_balance=-1.0), InvalidRun),
    ],
)
async def test_a_wrong_ask_is_refused_before_it_is_queued(bench, research, ask, error):
    with pytest.raises(error):
        await research.backtest(ask, OWNER)

    assert bench.app.client.services.jobs.recent() == []


async def test_the_same_ask_gives_the_same_run(research):
    ask = BacktestAsk("ma_crossover", params=FAST)
    first, second = [await (await research.backtest(ask, OWNER)).finished() for _ in range(2)]

    assert first.state is JobState.DONE
    assert first.result.report.results.run_id == second.result.report.results.run_id
    assert first.result.pictures.keys() == {"equity", "trades"}


async def test_large_arrays_stay_where_they_were_computed(research):
    job = await research.backtest(BacktestAsk("ma_crossover", params=FAST), OWNER)
    view = await job.finished()

    results = view.result.report.results
    assert len(results.equity.time) == 0
    assert len(results.price) == 0
    assert len(results.trades) == 36


async def test_a_finished_run_can_be_looked_up(bench, research):
    ask = BacktestAsk("ma_crossover", symbol="btcusdt", params=FAST, fill="next_open")
    view = await (await research.backtest(ask, OWNER)).finished()
    run_id = view.result.report.results.run_id
    runs = bench.app.client.services.runs

    assert runs.ask(run_id) == ask
    assert runs.summary(run_id)["params"]["fast_period"] == 10
    assert runs.file(run_id, "equity.html").startswith(b"<!")
    assert '"data"' in runs.figure(run_id, "monthly")
    for wrong in ("../../x", "", "0" * 16):
        with pytest.raises(InvalidInput):
            runs.ask(wrong)


async def test_symbols_come_from_the_cache_while_the_exchange_is_silent(bench, monkeypatch):
    book = SymbolBook(bench.settings, bench.app.client.services.research._market)
    asked = 0

    async def fail():
        nonlocal asked
        asked += 1
        raise ExchangeUnavailable("down")

    monkeypatch.setattr(book, "_ask", fail)

    assert await book.symbols() == ["BTC/USDT"]
    assert await book.symbols() == ["BTC/USDT"]
    assert asked == 1
    await book.close()


async def test_symbols_are_asked_for_once_an_hour(bench, monkeypatch):
    book = SymbolBook(bench.settings, bench.app.client.services.research._market)
    asked = 0

    async def answer():
        nonlocal asked
        asked += 1
        return ("AAA/USDT", "BTC/USDT")

    monkeypatch.setattr(book, "_ask", answer)

    for _ in range(3):
        assert await book.symbols() == ["BTC/USDT", "AAA/USDT"]
    assert asked == 1
    await book.close()


async def test_a_hanging_exchange_holds_no_suggestion_up(bench, monkeypatch):
    market = bench.app.client.services.research._market
    book = SymbolBook(bench.settings, market, patience_s=0.0)
    asked, hanging = asyncio.Event(), threading.Event()

    async def hang():
        asked.set()
        await asyncio.to_thread(hanging.wait)
        return ("AAA/USDT",)

    monkeypatch.setattr("bot.services.research.run_apart", lambda work: work())
    monkeypatch.setattr(book, "_ask", hang)

    assert await book.symbols() == ["BTC/USDT"]
    await asked.wait()
    book._patience_s = None
    assert await book.symbols() == ["BTC/USDT"]
    renewal = book._renewal
    hanging.set()
    await renewal
    assert await book.symbols() == ["BTC/USDT", "AAA/USDT"]


async def test_only_the_first_list_is_waited_for(bench, monkeypatch):
    """An exchange that is down costs its patience once, not with each letter that is typed."""
    book = SymbolBook(bench.settings, bench.app.client.services.research._market, patience_s=0.01)
    never = asyncio.Event()

    async def hang():
        await never.wait()
        return ()

    monkeypatch.setattr("bot.services.research.run_apart", lambda work: work())
    monkeypatch.setattr(book, "_ask", hang)
    await book.symbols()
    assert book._patience_s is None

    def no_waiting(tasks, **options):
        raise AssertionError("a suggestion waits")

    with monkeypatch.context() as patch:
        patch.setattr("bot.services.research.asyncio.wait", no_waiting)
        assert await book.symbols() == ["BTC/USDT"]
    await book.close()
